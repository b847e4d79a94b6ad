"""How long `harness view` takes over a million made-up samples: limits 2 s per page, 300 MB.

    python bench/view.py [--samples 1000000]

Prints seconds until the first page while nothing is indexed, until all is indexed, for pages and filters
after that, and the server's peak memory, each with its ratio to the limit. Exit code 1 if one is missed. The
time to index is no page's, so that it has no limit.
"""

from __future__ import annotations

import argparse
import http.client
import json
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Final

from harness.benchmarking.folder import Asked, EvaluationFolder
from harness.benchmarking.profile import load_profile
from harness.benchmarking.run import build_context
from harness.plugging import load

RAW: Final = argparse.RawDescriptionHelpFormatter
PAGE_SECONDS: Final = 2.0
SERVER_MB: Final = 300.0
PROBLEMS: Final = 10_000
TEXT: Final = "We look at both cases and add what they give, step by step, until nothing is left. " * 8
STATUSES: Final = ("pass", "pass", "fail", "fail", "fail", "no_answer", "timeout")

#: Page -> address below the run's.
PAGES: Final = {
    "the run": "/run/{run}",
    "samples": "/samples/{run}",
    "by status": "/samples/{run}?status=timeout",
    "by status and length": "/samples/{run}?status=fail&least=1990&cut=1",
    "by words": "/samples/{run}?words=p-9999",
    "by words that are nowhere": "/samples/{run}?words=nowhere",
    "the last page": "/samples/{run}?after={last}",
    "in the texts": "/samples/{run}?text=needle",
    "by level": "/samples/{run}?tag=level%3D3&status=fail",
    "a sample": "/sample/{run}?in=sums&of=p-777&number=0&at=final",
    "compared with itself": "/compare?a={run}&b={run}",
}


def write_run(runs: Path, samples: int) -> str:
    """An evaluation of so many samples; returns its name in addresses."""
    home = runs / "large-1"
    folder = home / "main" / "seed-0"
    folder.mkdir(parents=True)
    rows = ({"id": f"p-{i}", "problem": f"What is {i} + 1?", "answer": str(i + 1), "level": i % 5}
            for i in range(PROBLEMS))  # fmt: skip
    (runs / "sums.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (runs / "sums.toml").write_text('path = "sums.jsonl"\n[fields]\ntags = ["level"]\n')
    asked = Asked(name="large", model="m", benchmarks={"sums": {"file": str(runs / "sums.toml")}}, profile={})
    plugins = load()
    profile = load_profile("greedy-smoke", plugins, build_context(asked, plugins))
    EvaluationFolder(home, replace(asked, profile=profile.model_dump(mode="json"))).write()
    opened = {"t": "opened", "schema": 2, "kind": "evaluation", "model": {"name": "m"}, "seed": 0,
              "run": {"recipe": "large", "arm": "main", "seed": 0}}  # fmt: skip
    line = json.dumps({
        "t": "sample", "name": "final", "heldout": "sums", "stage": "", "step": 0,
        "rollout": {
            "key": {"run": "large/main/0", "phase": "eval", "stage": "sums", "step": 0, "task": "p-@TASK",
                    "sample": 0.25},
            "prompt_ids": [], "completion_ids": [], "text": f"{TEXT} \\boxed{{@ANSWER}}.",
            "finish": "@FINISH",
            "policy": {"weights_sha": "w"}, "sampling": {"max_tokens": 2000},
        },
        "verdict": {"status": "@STATUS", "score": 0.0, "verifier": "math", "verifier_hash": "h",
                    "extracted": "@ANSWER", "reason": "boxed; integers"},
        "tokens": 0.5, "prompt_tokens": 40, "tail": False,
    })  # fmt: skip
    parts = re.split(r"(@TASK|@ANSWER|@FINISH|@STATUS|0\.25|0\.5)", line)
    with (folder / "ledger.jsonl").open("w", buffering=1 << 20) as file:
        file.write(json.dumps(opened) + "\n")
        for i in range(samples):
            tokens = i * 7919 % 2000
            values = {"@TASK": str(i % PROBLEMS), "@ANSWER": str(i % 97), "0.25": str(i // PROBLEMS),
                      "@FINISH": "length" if tokens > 1900 else "stop", "0.5": str(tokens),
                      "@STATUS": STATUSES[i * 31 % len(STATUSES)]}  # fmt: skip
            file.write("".join(values.get(part, part) for part in parts) + "\n")
        file.write('{"t":"finished","at":"2026-01-02T03:04:05Z"}\n')
    return "large-1/main/0"


def _peak_mb(pid: str) -> float:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:  # it has ended
        return 0.0
    return int(status.split("VmHWM:")[1].split()[0]) / 1024 if "VmHWM:" in status else 0.0


class Server:
    """`harness view` as a process."""

    def __init__(self, runs: Path) -> None:
        self._peak = 0.0
        command = [sys.executable, "-m", "harness", "view", str(runs), "--port", "0"]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        address = self._process.stdout.readline()
        place = re.fullmatch(r"http://127\.0\.0\.1:(\d+)/\?token=(\S+)\n", address)
        if place is None:
            raise SystemExit(f"harness view printed {address!r}")
        self._port, self._token = int(place[1]), place[2]

    def get(self, path: str) -> tuple[float, str]:
        """(seconds, page)."""
        started = time.perf_counter()
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=600)
        connection.request("GET", path, headers={"Cookie": f"harness_view_{self._port}={self._token}"})
        answer = connection.getresponse()
        html = answer.read().decode()
        connection.close()
        if answer.status != 200:
            raise SystemExit(f"{path} has status {answer.status}: {html[-500:]}")
        return time.perf_counter() - started, html

    def peak_mb(self) -> float:
        """The highest sum of the peaks of the server and the process that builds its index, so far."""
        tasks = Path(f"/proc/{self._process.pid}/task").glob("*/children")
        pids = [str(self._process.pid), *(pid for children in tasks for pid in children.read_text().split())]
        self._peak = max(self._peak, sum(map(_peak_mb, pids)))
        return self._peak

    def end(self) -> None:
        self._process.terminate()
        self._process.wait()


def measured(runs: Path, run: str, samples: int) -> dict[str, float]:
    """Seconds by page, and the server's peak memory."""
    server = Server(runs)
    try:
        took = {"list of runs": server.get("/")[0]}
        started = time.perf_counter()
        took["first page, not indexed"], html = server.get(f"/samples/{run}")
        while "indexed" in html:
            time.sleep(0.2)
            seconds, html = server.get(f"/samples/{run}")
            server.peak_mb()
            took["longest page meanwhile"] = max(took.get("longest page meanwhile", 0.0), seconds)
        print(f"{'indexed after':28} {time.perf_counter() - started:8.2f} s")
        for name, address in PAGES.items():
            took[name], _ = server.get(address.format(run=run, last=samples - 10))
        took["peak memory"] = server.peak_mb()
        return took
    finally:
        server.end()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=RAW)
    parser.add_argument("--samples", type=int, default=1_000_000)
    samples = parser.parse_args().samples
    with tempfile.TemporaryDirectory() as scratch:
        runs = Path(scratch)
        run = write_run(runs, samples)
        size = (runs / "large-1" / "main" / "seed-0" / "ledger.jsonl").stat().st_size
        print(f"{samples:,} samples of {PROBLEMS:,} problems, a ledger of {size / 2**20:,.0f} MiB")
        took = measured(runs, run, samples)
        index = sum(path.stat().st_size for path in runs.rglob("samples.sqlite*"))
        print(f"{'index':28} {index / 2**20:8.0f} MiB")
    worst = 0.0
    for name, value in took.items():
        limit, unit = (SERVER_MB, "MB") if name == "peak memory" else (PAGE_SECONDS, "s")
        worst = max(worst, value / limit)
        print(f"{name:28} {value:8.2f} {unit:2} {value / limit:6.2f} of the limit")
    return int(worst > 1)


if __name__ == "__main__":
    sys.exit(main())
