"""A small Slurm for tests: a queue in the folder FAKE_SLURM, and jobs that are processes.

    sbatch --parsable < SCRIPT      submit: the job begins at once unless the folder holds a file `hold`
    squeue --me --name=A,B ...      jobs that have not ended
    sacct --jobs=ID ...             how a job stands or ended
    scancel ID                      end it

What goes wrong is asked for by files in the folder: `refuse` (sbatch refuses, in these words), `silent`
(squeue does not answer), `no-accounts` (sacct knows nothing), `node-fail` (every job loses its node).
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(os.environ["FAKE_SLURM"])
LOOK = 0.02


def main(command: str, arguments: list[str]) -> int:
    with (ROOT / "calls").open("a") as calls:
        calls.write(shlex.join([command, *arguments]) + "\n")
    return {"sbatch": sbatch, "squeue": squeue, "sacct": sacct, "scancel": scancel}[command](arguments)


def save(job: dict[str, Any]) -> None:
    path = ROOT / f"job-{job['id']}.json"
    scratch = path.with_suffix(f".{os.getpid()}")
    scratch.write_text(json.dumps(job))
    scratch.replace(path)


def load(number: str) -> dict[str, Any]:
    job: dict[str, Any] = json.loads((ROOT / f"job-{number}.json").read_text())
    return job


def jobs() -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in sorted(ROOT.glob("job-*.json"))]


def option(arguments: list[str], name: str) -> str:
    return next((a.partition("=")[2] for a in arguments if a.startswith(f"--{name}=")), "")


def sbatch(arguments: list[str]) -> int:
    refusal = ROOT / "refuse"
    if refusal.exists():
        print(refusal.read_text(), file=sys.stderr)
        return 1
    assert arguments == ["--parsable"]
    script = sys.stdin.read()
    asked = [shlex.split(line)[1] for line in script.splitlines() if line.startswith("#SBATCH ")]
    number = str(1 + len(jobs()))
    job = {"id": number, "name": option(asked, "job-name"), "state": "PENDING", "code": 0, "asked": asked}
    save(job)
    (ROOT / f"script-{number}").write_text(script)
    subprocess.Popen(
        [sys.executable, __file__, "monitor", number], start_new_session=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    print(f"{number};cluster")
    return 0


def monitor(number: str) -> None:
    """What slurmctld and slurmd do for one job."""
    job = load(number)
    while (ROOT / "hold").exists():
        if (ROOT / f"cancel-{number}").exists():
            save(job | {"state": "CANCELLED by 1000"})
            return
        time.sleep(LOOK)
    asked = job["asked"]
    hours, minutes, seconds = map(int, re.findall(r"\d+", option(asked, "time") or "10:00:00"))
    end = time.monotonic() + 3600 * hours + 60 * minutes + seconds
    with Path(option(asked, "output")).open("ab") as log:
        process = subprocess.Popen(
            ["bash", str(ROOT / f"script-{number}")], stdin=subprocess.DEVNULL, stdout=log,
            stderr=subprocess.STDOUT, cwd=option(asked, "chdir"), start_new_session=True,
        )  # fmt: skip
    save(job | {"state": "RUNNING", "pid": process.pid})
    state = ""
    while process.poll() is None and not state:
        if (ROOT / f"cancel-{number}").exists():
            state = "CANCELLED by 1000"
        elif (ROOT / "node-fail").exists():
            state = "NODE_FAIL"
        elif time.monotonic() > end:
            state = "TIMEOUT"
        time.sleep(LOOK)
    if state:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    code = process.wait()
    save(job | {"state": state or ("FAILED" if code else "COMPLETED"), "code": 0 if state else code})


def squeue(arguments: list[str]) -> int:
    if (ROOT / "silent").exists():
        print("slurm_load_jobs error: Unable to contact slurm controller", file=sys.stderr)
        return 1
    assert "--me" in arguments
    assert option(arguments, "format") == "%j|%i|%T|%r"
    names = option(arguments, "name").split(",")
    for job in jobs():
        if job["name"] in names and job["state"] in ("PENDING", "RUNNING"):
            reason = "Resources" if job["state"] == "PENDING" else "None"
            print(f"{job['name']}|{job['id']}|{job['state']}|{reason}")
    return 0


def sacct(arguments: list[str]) -> int:
    if (ROOT / "no-accounts").exists():
        print("Slurm accounting storage is disabled", file=sys.stderr)
        return 1
    job = load(option(arguments, "jobs"))
    print(f"{job['id']}|{job['state']}|{job['code']}:0")
    return 0


def scancel(arguments: list[str]) -> int:
    (ROOT / f"cancel-{arguments[0]}").touch()
    return 0


if __name__ == "__main__":
    if sys.argv[1] == "monitor":
        monitor(sys.argv[2])
    else:
        sys.exit(main(sys.argv[1], sys.argv[2:]))
