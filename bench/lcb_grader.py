"""Our graders of LiveCodeBench beside its own.

    LIVECODEBENCH=CHECKOUT python bench/lcb_grader.py [OUTPUTS]

OUTPUTS is a file of programs as LiveCodeBench writes it (`question_id`, `code_list`), those of HARNESS_DATA
unless one is named; their public tests come from there. CHECKOUT
is a clone of github.com/LiveCodeBench/LiveCodeBench, none of which is part of
this project; its grader runs programs on this host WITHOUT walls, so give it only programs that you trust.

Each block of programs goes through theirs and through ours, one after the other, so that what else the host
does hits both alike. Printed are programs per second, the ratios, and every program whose verdict differs.

Seconds of CPU are given beside those of the clock: they hold on a busy machine, where the clock measures who
else is there. Theirs are of the grader's processes; ours of this process and of the sandbox's servers
and jobs.

Programs that compute for long, into the time limit above all, cost both sides what they compute, and say
nothing about grading. So those that take more than `--slow` seconds of CPU, found in a pass that is not
counted, are timed apart.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from harness_livecodebench.options import GraderOptions
from harness_livecodebench.problems import Problem, read_file
from harness_livecodebench.reference import ReferenceGrader
from harness_livecodebench.store import Store
from harness_livecodebench.strict import StrictGrader
from harness_sandbox_cli.workload import OUTPUTS

from harness.plugging.plugins import load
from harness.support.folders import cache_folder, data_folder
from harness.testing.workbench import context

#: How many times as fast as the published harness by the clock, on an idle machine.
TARGET: Final = 5.0
#: Verdicts that differ for a reason that docs/how-to/livecodebench.md gives: grader and problem.
EXPLAINED: Final = {("lcb-strict", "abc344_b")}
#: Runs in the other interpreter: one block per line in, its verdicts and seconds as a line out.
THEIRS = """
import json, os, sys, time
out = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
from lcb_runner.evaluation.compute_code_generation_metrics import evaluate_generations
for line in sys.stdin:
    asked = json.loads(line)
    started, before = time.monotonic(), os.times()
    results, notes = evaluate_generations(
        asked["samples"], [[code] for code in asked["codes"]],
        num_process_evaluate=asked["processes"], timeout=6)
    seconds, used = time.monotonic() - started, os.times()
    cpu = sum(used[:4]) - sum(before[:4])
    told = [[[int(r) if r is not True else True for r in results[i][0]], notes[i][0].get("error_message", "")]
            for i in range(len(asked["codes"]))]
    print(json.dumps({"seconds": seconds, "cpu": cpu, "results": told}, default=str), file=out, flush=True)
"""


@dataclass
class Side:
    """One grader's verdicts and time."""

    passed: dict[str, bool] = field(default_factory=dict)
    why: dict[str, str] = field(default_factory=dict)
    #: Seconds of CPU by program.
    cpu: dict[str, float] = field(default_factory=dict)
    blocks: list[float] = field(default_factory=list)
    #: Seconds of CPU of the grader, the programs it runs included.
    spent: float = 0.0


def main() -> int:
    asked = _arguments()
    root = data_folder()
    if asked.upstream is None or root is None:
        missing = "LIVECODEBENCH names no checkout of it" if root else "HARNESS_DATA is not set"
        print(f"skipped: {missing}")
        return 0
    outputs = asked.outputs or root / OUTPUTS
    made = context(load(), cache_folder())
    store = Store(made.cache)
    rows = read_file(root / "code" / "lcb_v6_problems.jsonl", store, made.cache)
    problems = {problem.id: problem for problem in rows if problem.public[1]}
    programs = [(i, code) for i, code in _programs(outputs) if i in problems][:: asked.every]
    programs = programs[: asked.limit]
    sandbox = made.build("sandboxes", asked.sandbox, {"slots": asked.processes})
    graders = {g.name: g for g in (k(GraderOptions(), made) for k in (StrictGrader, ReferenceGrader))}
    theirs = _Upstream(asked.upstream, asked.python)
    quick, slow = {n: Side() for n in ("upstream", *graders)}, {n: Side() for n in ("upstream", *graders)}
    try:
        costs: dict[str, float] = {}
        for grader in graders.values():
            side = Side()
            asyncio.run(_ours(grader, programs, problems, store, sandbox, asked.processes, side))
            costs |= {i: max(costs.get(i, 0.0), cost) for i, cost in side.cpu.items()}
        fast = [program for program in programs if costs[program[0]] <= asked.slow]
        long = [program for program in programs if costs[program[0]] > asked.slow]
        theirs.grade(fast[:4], problems, store, asked.processes, Side())
        print(f"{asked.processes} processes, blocks of {asked.block}, sandbox {asked.sandbox}")
        for found_sides, kind, what in ((quick, fast, "up to"), (slow, long, "more than")):
            for start in range(0, len(kind), asked.block):
                block = kind[start : start + asked.block]
                theirs.grade(block, problems, store, asked.processes, found_sides["upstream"])
                for name, grader in graders.items():
                    side = found_sides[name]
                    asyncio.run(_ours(grader, block, problems, store, sandbox, asked.processes, side))
                print(f"{start + len(block)} of {len(kind)}", file=sys.stderr)
            if kind:
                _tell(found_sides, f"{what} {asked.slow} s of CPU")
    finally:
        sandbox.close()
        theirs.close()
    found_faults = faults(quick, slow)
    for fault in found_faults:
        print(fault)
    return 1 if found_faults else 0


def faults(quick: dict[str, Side], slow: dict[str, Side]) -> list[str]:
    """What is not as it should be: verdicts that differ and are not explained, and graders that are slow."""
    failures = []
    for sides in (quick, slow):
        theirs = sides["upstream"]
        for name, side in sides.items():
            failures += [
                f"{name} {i}: differs from the published harness, and livecodebench.md does not say why"
                for i, passed in theirs.passed.items()
                if side.passed[i] != passed and (name, i) not in EXPLAINED
            ]
    seconds = sum(quick["upstream"].blocks)
    for name, side in quick.items():
        if name != "upstream" and side.blocks and seconds / sum(side.blocks) < TARGET:
            failures.append(f"{name}: {seconds / sum(side.blocks):.2f} times as fast, less than {TARGET:g}")
    return failures


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("outputs", type=Path, nargs="?", help="programs; default: those of HARNESS_DATA")
    parser.add_argument(
        "--upstream",
        type=Path,
        default=os.environ.get("LIVECODEBENCH") or None,
        help="a checkout of LiveCodeBench; default: the variable LIVECODEBENCH",
    )
    parser.add_argument("--python", default=sys.executable, help="an interpreter with numpy and tqdm for it")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--sandbox", default="auto")
    parser.add_argument("--block", type=int, default=40, help="programs that go through one side at a time")
    parser.add_argument(
        "--slow", type=float, default=0.5, help="seconds of CPU from which one is timed apart"
    )
    parser.add_argument("--every", type=int, default=1, help="take every so-many-th program")
    parser.add_argument("--limit", type=int)
    return parser.parse_args()


def _programs(path: Path) -> list[tuple[str, str]]:
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as file:
        rows = [json.loads(line) for line in file]
    return [(row["question_id"], row["code_list"][0]) for row in rows]


class _Upstream:
    """Its grader in a process of its own, in an empty folder."""

    def __init__(self, checkout: Path, python: str) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self._process = subprocess.Popen(
            [python, "-c", THEIRS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            stderr=subprocess.DEVNULL, cwd=self._folder.name,
            env={"PYTHONPATH": str(checkout.resolve()), "PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1"},
        )  # fmt: skip

    def grade(
        self, block: list[tuple[str, str]], problems: dict[str, Problem], store: Store, width: int, side: Side
    ) -> None:
        samples = [_sample(problems[i], store) for i, _ in block]
        asked = {"samples": samples, "codes": [code for _, code in block], "processes": width}
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            sys.exit("LiveCodeBench's grader ended: does this interpreter have numpy and tqdm?")
        told = json.loads(line)
        side.blocks.append(told["seconds"])
        side.spent += told["cpu"]
        for (i, _), (results, why) in zip(block, told["results"], strict=True):
            side.passed[i] = all(result > 0 for result in results)
            side.why[i] = f"{results[-1]} {why}" if results else ""

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(30)
        self._folder.cleanup()


def _sample(problem: Problem, store: Store) -> dict[str, str]:
    tests = store.get(problem.public[0])
    content = {
        "inputs": [a for a, _ in tests],
        "outputs": [b for _, b in tests],
        "fn_name": problem.entry_point,
    }
    return {"input_output": json.dumps(content)}


async def _ours(
    grader: Any, block: list[tuple[str, str]], problems: dict[str, Problem], store: Store, sandbox: Any,
    width: int, side: Side,
) -> None:  # fmt: skip
    room = asyncio.Semaphore(2 * width)

    async def one(name: str, program: str) -> None:
        async with room:
            problem = problems[name]
            tests = store.get(problem.public[0])
            results = await grader.grade(program, problem.entry_point, tests, sandbox)
        side.passed[name] = len(results) == len(tests) and all(result.passed for result in results)
        side.cpu[name] = max(result.cpu_s for result in results)
        side.why[name] = f"{results[-1].verdict} {results[-1].evidence}"

    started, spent = time.monotonic(), _spent(sandbox)
    await asyncio.gather(*(one(name, program) for name, program in block))
    side.blocks.append(time.monotonic() - started)
    side.spent += _spent(sandbox) - spent


def _spent(sandbox: Any) -> float:
    """Seconds of CPU of this process, and of the sandbox's servers and jobs."""
    return time.process_time() + float(sandbox.stats.cpu_s)


def _tell(sides: dict[str, Side], what: str) -> None:
    theirs = sides["upstream"]
    print(f"\n{len(theirs.passed)} programs of {what}", flush=True)
    for name, side in sides.items():
        seconds = sum(side.blocks)
        cpu = (
            f"{1000 * side.spent / len(side.passed):.1f} ms of CPU a program, ratio "
            f"{theirs.spent / side.spent:.2f}"
        )
        ratios = sorted(a / b for a, b in zip(theirs.blocks, side.blocks, strict=True))
        print(
            f"{name:14} {sum(side.passed.values()):4} pass, {len(side.passed) / seconds:6.1f} programs/s, "
            f"ratio {sum(theirs.blocks) / seconds:5.2f} (blocks: {ratios[0]:.2f} to {ratios[-1]:.2f}); "
            f"{cpu}"
        )
    for name, side in list(sides.items())[1:]:
        for i, passed in theirs.passed.items():
            if side.passed[i] != passed:
                print(f"{name} {i}: upstream {theirs.why[i][:90]!r}, ours {side.why[i][:120]!r}")


if __name__ == "__main__":
    sys.exit(main())
