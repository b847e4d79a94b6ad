"""Peak memory of a run's driver over the number of its tasks: a stage of two steps on simulated items that
lie in one jsonl file, all of them ("uniform"), or those that imported labels select ("selected").

    python bench/driver_memory.py [--tasks 1000000]

Prints MiB and seconds of a process of its own for a thousand tasks and for so many; `ratio` is the larger
peak over the limit of 1 GiB. Exit code 1 when it is above 1.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

LIMIT_MIB: Final = 1024.0


def recipe(folder: Path, *, selected: bool) -> dict[str, Any]:
    stage: dict[str, Any] = {
        "name": "all",
        "curriculum": "uniform",
        "rollout": {"n": 8, "batch": 32, "max_tokens": 4096},
        "optimizer": {"lr": 1e-4},
        "max_steps": 2,
    }
    values: dict[str, Any] = {
        "name": "bench",
        "detail": "group",
        "model": {"name": "student", "loader": {"name": "sim"}, "prompt": "raw"},
        "tasks": {"train": [{"name": "jsonl", "path": str(folder / "tasks.jsonl")}]},
        "trainer": {"name": "sim"},
        "report": {"reporters": []},
        "stages": [stage],
    }
    if selected:
        labels = {"path": str(folder / "labels.jsonl"), "samples": 8}
        values["difficulty"] = {"labels": {"7b": labels}}
        stage["select"] = '0 < p["7b"] < 1'
    return values


def write(folder: Path, tasks: int) -> None:
    with (folder / "tasks.jsonl").open("w") as rows, (folder / "labels.jsonl").open("w") as labels:
        for i in range(tasks):
            b = (i % 997) / 100 - 5
            row = {"id": f"{i:07d}", "problem": f"Simulated item {i:07d} with a=1.0 b={b}", "answer": "right"}
            rows.write(json.dumps(row) + "\n")
            labels.write(json.dumps({"id": f"tasks/{i:07d}", "pass_rate": (i % 9) / 8}) + "\n")


def one(folder: Path, form: str) -> None:
    """A run in this process; prints its peak in MiB and its seconds."""
    from harness.plugging.plugins import load
    from harness.testing import Workbench

    began = time.perf_counter()
    Workbench(folder / form, load()).run(recipe(folder, selected=form == "selected"))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"mib": peak, "seconds": time.perf_counter() - began}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=1_000_000)
    parser.add_argument("--one", nargs=2, metavar=("FOLDER", "FORM"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        one(Path(given.one[0]), given.one[1])
        return
    worst = 0.0
    for tasks in (1000, given.tasks):
        with tempfile.TemporaryDirectory() as scratch:
            write(Path(scratch), tasks)
            for form in ("uniform", "selected"):
                done = subprocess.run(
                    [sys.executable, __file__, "--one", scratch, form],
                    stdout=subprocess.PIPE,
                    check=True,
                    text=True,
                )
                measured = json.loads(done.stdout.splitlines()[-1])
                print(
                    f"{form:<9} {tasks:>9,} tasks  {measured['mib']:7.0f} MiB  {measured['seconds']:6.1f} s"
                )
                worst = max(worst, measured["mib"])
    ratio = worst / LIMIT_MIB
    print(f"ratio {ratio:.2f} of the limit of {LIMIT_MIB:.0f} MiB")
    sys.exit(ratio > 1)


if __name__ == "__main__":
    main()
