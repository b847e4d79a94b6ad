"""How long a ledger of gigabytes takes to open: `harness show`, the samples of one step, and where a run that
was killed goes on. The limit is 10 s of the CPU, at any size.

    python bench/ledger.py [--gb 1] [--folder DIR]

Trains a simulated student for two steps, then writes a run like that: its steps again and again, through the
ledger itself, with a rollout of 2,000 tokens in each sample, up to the size, and half a line at the end.
Prints seconds, CPU seconds and peak memory of each command, in a process of its own, with the outline that
the writer left, and at last without it, which is the price of making one. Exit code 1 if a command that has
it misses the limit.
"""

from __future__ import annotations

import argparse
import itertools
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import msgspec

from harness.contract.records import PolicyRef, Rollout, RolloutKey, Sampling
from harness.plugging import load
from harness.recording.ledger import Ledger, Line
from harness.testing import Workbench

LIMIT_SECONDS: Final = 10.0
TOKENS: Final = 2000
TEXT: Final = "We look at both cases and add what they give, step by step, until nothing is left. " * 96
GOES_ON: Final = (
    "from pathlib import Path; from harness.recording.history import read_history; "
    "print(read_history(Path({!r})).checkpoints)"
)
RECIPE: Final[dict[str, Any]] = {
    "name": "bench",
    "model": {"name": "student", "loader": {"name": "sim"}, "prompt": "raw"},
    "tasks": {"train": [{"name": "sim-irt", "count": 40}]},
    "trainer": {"name": "sim"},
    "checkpoints": {"every_steps": 1_000_000},
    "report": {"reporters": []},
    "stages": [
        {
            "name": "all",
            "curriculum": "uniform",
            "rollout": {"n": 8, "batch": 16, "max_tokens": 4096},
            "optimizer": {"lr": 1e-4},
            "max_steps": 2,
        }
    ],
}


def write_run(folder: Path, size: int) -> Path:
    """A run's folder whose ledger has so many bytes."""
    lines = Workbench(folder / "small", load()).run(RECIPE)
    known = [msgspec.json.decode(raw) for raw in (lines.folder / "ledger.jsonl").read_bytes().splitlines()]
    kinds = [line["t"] for line in known]
    first, end = kinds.index("group"), kinds.index("step")
    groups, step = known[first:end], known[end]
    run = folder / "runs" / "large-1" / "main" / "seed-0"
    with Ledger(run / "ledger.jsonl") as ledger:
        for line in known[:first]:
            _append(ledger, [line])
        for number in itertools.count(1):
            _append(ledger, [_group(line, number) for line in groups])
            _append(ledger, [{**step, "metrics": {**step["metrics"], "step": number}}])
            ledger.commit()
            if ledger.path.stat().st_size >= size:
                break
    with ledger.path.open("ab") as file:
        file.write(b'{"t":"group","stage":"all","gro')
    return run


def _append(ledger: Ledger, lines: list[Line]) -> None:
    ledger.append_many(lines[0]["t"], [{k: v for k, v in line.items() if k != "t"} for line in lines])


def _group(line: Line, step: int) -> Line:
    """The same group in another step, its answers long."""
    group = line["group"]
    rollouts = [
        Rollout(
            key=RolloutKey("bench/main/0", "train", line["stage"], step, group["task"], sample),
            prompt_ids=tuple(range(100)), completion_ids=tuple(range(TOKENS)), text=TEXT, finish="stop",
            policy=PolicyRef(weights_sha="0" * 16), sampling=Sampling(),
            logprobs=(-0.6931471805599453,) * TOKENS,
        )
        for sample in range(len(group["statuses"]))
    ]  # fmt: skip
    return {**line, "group": {**group, "step": step, "rollouts": rollouts}}


def measured(command: list[str], cwd: Path) -> tuple[float, float, float]:
    """Seconds of the clock and of the CPU, and peak MB of one process; ends the bench if it fails."""
    started = time.perf_counter()
    process = subprocess.Popen(command, cwd=cwd, stdout=subprocess.DEVNULL)
    peak = 0.0
    while True:
        peak = max(peak, _peak_mb(process.pid))
        pid, status, used = os.wait4(process.pid, os.WNOHANG)
        if pid:
            break
        time.sleep(0.02)
    if status:
        raise SystemExit(f"{' '.join(command[:5])} ... failed")
    return time.perf_counter() - started, used.ru_utime + used.ru_stime, peak


def _peak_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024 if "VmHWM:" in status else 0.0


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--gb", type=float, default=1.0)
    parser.add_argument("--folder", type=Path, help="where to write; by default a temporary folder")
    options = parser.parse_args()
    worst = 0.0
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        started = time.perf_counter()
        run = write_run(Path(name), int(options.gb * 1e9))
        ledger, outline = run / "ledger.jsonl", run / "ledger.outline"
        seconds, gb, mb = (
            time.perf_counter() - started,
            ledger.stat().st_size / 1e9,
            outline.stat().st_size / 1e6,
        )
        print(f"a ledger of {gb:.2f} GB, written in {seconds:.0f} s; its outline has {mb:.1f} MB")
        harness = [sys.executable, "-m", "harness"]
        commands = {
            "show": [*harness, "show", str(run)],
            "show the samples of a step": [*harness, "show", str(run), "--samples", "--step", "7"],
            "where it goes on": [sys.executable, "-c", GOES_ON.format(str(ledger))],
        }
        for what, command in commands.items():
            seconds, cpu, mb = measured(command, Path(name))
            worst = max(worst, cpu)
            print(f"{what:28} {seconds:7.2f} s, CPU {cpu:6.2f} s, {mb:4.0f} MB   "
                  f"{cpu / LIMIT_SECONDS:.2f} of the limit", flush=True)  # fmt: skip
        outline.unlink()
        seconds, cpu, mb = measured(commands["show"], Path(name))
        print(f"{'show without the outline':28} {seconds:7.2f} s, CPU {cpu:6.2f} s, {mb:4.0f} MB   no limit")
    return int(worst > LIMIT_SECONDS)


if __name__ == "__main__":
    sys.exit(main())
