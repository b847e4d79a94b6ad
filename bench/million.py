"""A million samples: every command on an evaluation, at two sizes, by memory and by time per sample.

    python bench/million.py [--samples 100000,1000000] [--folder DIR]

Problems with 100 samples each are answered by engine `echo` and judged by the verifier `math`. Each command
is a process of its own: `eval`, `eval --resume` of a copy that was cut in the middle of its middle line,
`report`, `compare`, `score`, and `report` of the second judgement. Prints seconds, microseconds per sample,
the driver's peak memory and the largest of its worker processes. `growth` is the time per sample at the
largest size over that at the smallest, both less the command's time at 1,000 samples, which is its start-up;
CPU seconds count, so that what else the machine does moves it less. Exit code 1 if a driver has more than
150 MB or a growth is above 1.1.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

DRIVER_MB: Final = 150.0
GROWTH: Final = 1.1
#: Samples of the smallest evaluation, whose time counts as start-up.
BASE: Final = 1000
#: Samples of each problem.
EACH: Final = 100
RIGHT: Final = "Counting both cases separately gives the result. The final answer is \\boxed{{}}."
WRONG: Final = "Counting both cases separately gives the result. The final answer is \\boxed{17}."


@dataclass(frozen=True)
class Cost:
    """One command: seconds of the clock and of all its processes' CPU, peak memory in MB."""

    seconds: float
    cpu: float
    driver_mb: float
    #: The largest process that it started.
    worker_mb: float


def measured(arguments: list[str], cwd: Path) -> Cost:
    """Run `harness` with these arguments; ends the bench if it fails."""
    before, started = os.times(), time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "harness", *arguments], cwd=cwd, stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
        env={**os.environ, "HARNESS_CACHE": str(cwd / "cache")},
    )  # fmt: skip
    driver = worker = 0.0
    while True:
        try:
            _, errors = process.communicate(timeout=0.1)
            break
        except subprocess.TimeoutExpired:
            driver = max(driver, _peak_mb(process.pid))
            worker = max(worker, *map(_peak_mb, _children(process.pid)), 0.0)
    after = os.times()
    if process.returncode:
        raise SystemExit(f"harness {' '.join(arguments[:3])} ... failed:\n{errors.decode()[-2000:]}")
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return Cost(time.perf_counter() - started, cpu, driver, worker)


def _children(pid: int) -> list[int]:
    """Processes that it started and that still run."""
    try:
        tasks = list(Path(f"/proc/{pid}/task").glob("*/children"))
        return [int(child) for task in tasks for child in task.read_text().split()]
    except OSError:
        return []


def _peak_mb(pid: int) -> float:
    """A process's own high-water mark; its children's are theirs."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    return int(status.split("VmHWM:")[1].split()[0]) / 1024 if "VmHWM:" in status else 0.0


def write_problems(folder: Path, problems: int) -> None:
    """A benchmark, and the same as a source of tasks, which the engine answers from: `bag/7` in both."""
    with (folder / "sums.jsonl").open("w") as benchmark, (folder / "bag.jsonl").open("w") as source:
        for i in range(problems):
            row = {"problem": f"A bag holds {i + 3} red and {i + 5} blue marbles. How many?",
                   "answer": str(i + 18)}  # fmt: skip
            benchmark.write(json.dumps({"id": f"bag/{i}", **row}) + "\n")
            source.write(json.dumps({"id": str(i), **row}) + "\n")


def cut_in_half(whole: Path, half: Path) -> None:
    """A copy of an evaluation as it is when its process dies in the middle of the middle line."""
    (half / "main" / "seed-0").mkdir(parents=True)
    for path in whole.iterdir():
        if path.is_file():
            shutil.copy(path, half / path.name)
    ledger = whole / "main" / "seed-0" / "ledger.jsonl"
    left = ledger.stat().st_size // 2
    with ledger.open("rb") as read, (half / "main" / "seed-0" / "ledger.jsonl").open("wb") as write:
        while left and (block := read.read(min(left, 1 << 20))):
            write.write(block)
            left -= len(block)


def commands(work: Path, samples: int) -> dict[str, Cost]:
    """All commands on an evaluation of so many samples, in their order."""
    work.mkdir()
    write_problems(work, samples // EACH)
    runs = work / "runs"
    source = json.dumps(str(work / "bag.jsonl"))
    out = {"eval": measured(
        ["eval", "echo", "-b", "sums.jsonl", "--engine", "echo", "--samples", str(EACH), "--runs", str(runs),
         "--override", "domains.math.verifier.thinking=none",
         "--set", f'tasks=[{{name="jsonl", path={source}}}]', "--set", "right=0.5",
         "--set", f"form={json.dumps(RIGHT)}", "--set", f"wrong={json.dumps(WRONG)}"],
        work,
    )}  # fmt: skip
    (whole,) = runs.iterdir()
    ledger = whole / "main" / "seed-0" / "ledger.jsonl"
    print(f"{samples:,} samples of {samples // EACH:,} problems, {ledger.stat().st_size / 2**20:,.0f} MiB")
    half = runs / "half"
    cut_in_half(whole, half)
    out["resume half"] = measured(["eval", "--resume", str(half)], work)
    out["report"] = measured(["report", str(whole)], work)
    out["compare"] = measured(["compare", str(whole), str(half)], work)
    out["judge again"] = measured(["score", str(whole), "--set", "library=false"], work)
    out["report that"] = measured(["report", str(whole)], work)
    for name, cost in out.items():
        print(f"  {name:12} {cost.seconds:8.1f} s {cost.seconds / samples * 1e6:7.0f} us/sample, CPU "
              f"{cost.cpu:8.1f} s, driver {cost.driver_mb:5.0f} MB, worker {cost.worker_mb:5.0f} MB",
              flush=True)  # fmt: skip
    return out


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--samples", default="100000,1000000", help="two or more numbers, from small to large"
    )
    parser.add_argument(
        "--folder", type=Path, help="where to write (a kB per sample); default: a temporary one"
    )
    options = parser.parse_args()
    sizes = [int(size) for size in options.samples.split(",")]
    costs = {}
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        for size in (BASE, *sizes):
            costs[size] = commands(Path(name) / str(size), size)
            shutil.rmtree(Path(name) / str(size))

    def each(size: int, command: str) -> float:
        return max(costs[size][command].cpu - costs[BASE][command].cpu, 1e-9) / (size - BASE)

    growths = {command: each(sizes[-1], command) / each(sizes[0], command) for command in costs[BASE]}
    for command, growth in growths.items():
        print(f"growth {growth:5.2f} of {GROWTH:g} allowed   {command}")
    peak = max(cost.driver_mb for of_size in costs.values() for cost in of_size.values())
    print(f"driver {peak:.0f} of {DRIVER_MB:.0f} MB")
    return int(peak > DRIVER_MB or max(growths.values()) > GROWTH)


if __name__ == "__main__":
    sys.exit(main())
