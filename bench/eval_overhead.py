"""What an evaluation costs besides its model: 500 problems x 16 samples through engine `echo` and the
verifier `math`, beside inspect-ai's `mockllm` and its `match` scorer on the same problems, in turns.

    python bench/eval_overhead.py [--inspect VENV] [--samples 16] [--rounds 3]

Prints samples per second (of the whole command, start-up included), peak memory of the driver (worker
processes apart), bytes on disk, and the time to resume a run that is half done and to judge it again. Without
an environment that holds inspect-ai only our own numbers are printed, beside the 112 and 207 samples per
second that inspect-ai 0.3.285 reached on two cores. Exit code 1 if a limit is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

#: At least this many times inspect's samples per second, in evaluating and in judging again.
LIMIT: Final = 15.0
DRIVER_MB: Final = 120.0
#: inspect-ai 0.3.285 on two cores, for machines without it: evaluating, judging again.
KNOWN: Final = (112.0, 207.0)
PROBLEMS: Final = 500
RIGHT: Final = "Counting both cases separately gives the result.\n</think>\nThe final answer is \\boxed{%s}."
WRONG: Final = "Counting both cases separately gives the result.\n</think>\nThe final answer is \\boxed{17}."

INSPECT_TASK: Final = """
import json
from inspect_ai import Task, task
from inspect_ai.dataset import Sample
from inspect_ai.model import ModelOutput, ModelUsage, get_model
from inspect_ai.scorer import match
from inspect_ai.solver import generate

def outputs():
    while True:
        made = ModelOutput.from_content("mockllm/model", TEXT)
        made.usage = ModelUsage(input_tokens=200, output_tokens=30, total_tokens=230)
        yield made

@task
def problems():
    rows = [json.loads(line) for line in open(DATA)]
    samples = [Sample(id=r["id"], input=r["problem"], target=r["answer"]) for r in rows]
    return Task(dataset=samples, solver=generate(), scorer=match(), epochs=EPOCHS,
                model=get_model("mockllm/model", custom_outputs=outputs()))
"""


@dataclass(frozen=True)
class Cost:
    """One command: seconds of the clock and of all its processes' CPU, peak memory of the driver."""

    seconds: float
    cpu: float
    driver_mb: float


def measured(command: list[str], cwd: Path, **environment: str) -> Cost:
    started = time.perf_counter()
    process = subprocess.Popen(
        command, cwd=cwd, env={**os.environ, **environment}, stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    peak = 0.0
    while True:
        try:
            _, errors = process.communicate(timeout=0.05)
            break
        except subprocess.TimeoutExpired:
            peak = max(peak, _peak_mb(process.pid))
    used = os.times()
    cost = Cost(time.perf_counter() - started, used.children_user + used.children_system, peak)
    if process.returncode:
        raise SystemExit(f"{' '.join(command[:4])} ... failed:\n{errors.decode()[-2000:]}")
    return cost


def _peak_mb(pid: int) -> float:
    """The process's own high-water mark; its children's are theirs."""
    try:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1]) / 1024
    except OSError:
        pass
    return 0.0


def write_problems(folder: Path) -> None:
    """MATH-500's form: LaTeX answers by level and subject, the numbers from the position."""
    (folder / "benchmarks").mkdir(parents=True)
    with (folder / "benchmarks" / "math500.jsonl").open("w") as file:
        for i in range(PROBLEMS):
            answer = str(i + 18) if i % 3 else f"\\frac{{{i + 20}}}{{{i + 7}}}"
            problem = (
                f"A bag holds {i + 3} red and {i + 5} blue marbles. " * 4
                + "Find the ratio that is asked for."
            )
            row = {"id": f"math500-{i:03d}", "problem": problem, "answer": answer, "level": i % 5 + 1,
                   "subject": ("Algebra", "Counting & Probability")[i % 2]}  # fmt: skip
            file.write(json.dumps(row) + "\n")


def ours(work: Path, samples: int, number: int) -> dict[str, Cost | float]:
    """Evaluate, judge again, resume from the half."""
    environment = {"HARNESS_DATA": str(work / "data"), "HARNESS_CACHE": str(work / "cache")}
    command = [sys.executable, "-m", "harness"]
    root = work / f"ours-{number}"
    out: dict[str, Cost | float] = {}
    out["eval"] = measured(
        [*command, "eval", "echo", "-b", "math500", "--engine", "echo", "--samples", str(samples), "--runs",
         str(root), "--set", 'tasks=[{name="hub", benchmark="math500"}]', "--set", "right=0.5",
         "--set", f"form={json.dumps(RIGHT % '{}')}", "--set", f"wrong={json.dumps(WRONG)}"],
        work, **environment,
    )  # fmt: skip
    folder = next(root.iterdir())
    ledger = folder / "main" / "seed-0" / "ledger.jsonl"
    out["bytes"] = float(ledger.stat().st_size)
    lines = ledger.read_bytes().splitlines(keepends=True)
    half = shutil.copytree(folder, root / "half") / "main" / "seed-0" / "ledger.jsonl"
    half.write_bytes(b"".join(lines[: PROBLEMS * samples // 2]) + b'{"t":"sam')
    out["resume"] = measured([*command, "eval", "--resume", str(root / "half")], work, **environment)
    out["score"] = measured([*command, "score", str(folder), "--set", "library=false"], work, **environment)
    shutil.rmtree(root)
    return out


def theirs(work: Path, venv: Path, samples: int, number: int) -> dict[str, Cost | float]:
    """The same with inspect-ai: evaluate, judge again."""
    root = work / f"inspect-{number}"
    root.mkdir()
    task = INSPECT_TASK.replace("TEXT", repr(RIGHT % "17")).replace("EPOCHS", str(samples))
    data = work / "data" / "benchmarks" / "math500.jsonl"
    (root / "problems.py").write_text(task.replace("DATA", repr(str(data))))
    inspect = str(venv / "bin" / "inspect")
    quiet = ["--display", "none"]
    out: dict[str, Cost | float] = {}
    out["eval"] = measured([inspect, "eval", "problems.py", "--log-dir", "logs", *quiet], root)
    log = next((root / "logs").iterdir())
    out["bytes"] = float(log.stat().st_size)
    out["score"] = measured(
        [inspect, "score", str(log), "--scorer", "match", "--action", "append", "--overwrite", *quiet], root
    )
    shutil.rmtree(root)
    return out


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--inspect", type=Path, help="virtual environment with inspect-ai")
    parser.add_argument("--samples", type=int, default=16)
    parser.add_argument("--inspect-samples", type=int, help="inspect's samples per problem, if not the same")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    options.inspect_samples = options.inspect_samples or options.samples
    mine: list[dict[str, Any]] = []
    other: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        write_problems(work / "data")
        for number in range(options.rounds):
            mine.append(ours(work, options.samples, number))
            if options.inspect:
                other.append(theirs(work, options.inspect.resolve(), options.inspect_samples, number))
        wide = ours(work, options.samples * 4, options.rounds)
    return report(mine, other, wide, options)


def report(
    mine: list[dict[str, Any]], other: list[dict[str, Any]], wide: dict[str, Any], options: argparse.Namespace
) -> int:
    total = PROBLEMS * options.samples

    def rate(rounds: list[dict[str, Any]], what: str, samples: int) -> float:
        return samples / statistics.median(r[what].seconds for r in rounds)

    peak = max(r[w].driver_mb for r in (*mine, wide) for w in ("eval", "score", "resume"))
    print(f"{total} samples, median of {options.rounds}")
    print(f"  evaluate     {rate(mine, 'eval', total):8.0f} samples/s")
    print(f"  judge again  {rate(mine, 'score', total):8.0f} samples/s")
    print(f"  resume half  {statistics.median(r['resume'].seconds for r in mine):8.2f} s")
    print(f"  on disk      {mine[0]['bytes'] / total:8.0f} bytes a sample")
    print(f"  driver       {max(r['eval'].driver_mb for r in mine):8.0f} MB, "
          f"{wide['eval'].driver_mb:.0f} MB with {4 * total} samples")  # fmt: skip
    if other:
        theirs_total = PROBLEMS * options.inspect_samples
        known = (rate(other, "eval", theirs_total), rate(other, "score", theirs_total))
        print(f"inspect-ai, {theirs_total} samples")
        print(f"  evaluate     {known[0]:8.0f} samples/s")
        print(f"  judge again  {known[1]:8.0f} samples/s")
        print(f"  on disk      {other[0]['bytes'] / theirs_total:8.0f} bytes a sample")
        print(f"  driver       {max(r['eval'].driver_mb for r in other):8.0f} MB evaluating, "
              f"{max(r['score'].driver_mb for r in other):.0f} MB judging again")  # fmt: skip
    else:
        known = KNOWN
        print(f"inspect-ai as measured before: {known[0]:.0f} and {known[1]:.0f} samples/s")
    ratios = (rate(mine, "eval", total) / known[0], rate(mine, "score", total) / known[1])
    print(f"ratio        evaluate {ratios[0]:.1f}, judge again {ratios[1]:.1f} (limit {LIMIT:g}); "
          f"driver {peak:.0f} of {DRIVER_MB:.0f} MB")  # fmt: skip
    growth = wide["eval"].driver_mb / max(r["eval"].driver_mb for r in mine)
    return int(min(ratios) < LIMIT or peak > DRIVER_MB or growth > 1.1)


if __name__ == "__main__":
    sys.exit(main())
