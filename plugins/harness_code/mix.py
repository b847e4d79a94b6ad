"""A mix of harmless and hostile programs under full concurrency: does every one get its right verdict?"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from harness.contract import Sandbox
from harness_code import cases, judge
from harness_code.corpus import Program

#: Short, for a hostile program uses its limits up; the clock's is long, for the host is crowded.
LIMITS = cases.Limits(cpu_seconds=0.5, wall_seconds=8, memory_mb=256, output_bytes=1 << 18)
#: Harmless programs over two integers: source, how it is asked, and its verdict if the sum is right.
HARMLESS: Sequence[tuple[str, str, str]] = (
    ("a, b = map(int, input().split())\nprint(a + b)", "stdin", "pass"),
    ("import sys\nprint(sum(map(int, sys.stdin.read().split())))", "stdin", "pass"),
    ("def solve(a, b):\n    return a + b", "func", "pass"),
    ("class Solution:\n    def solve(self, a, b):\n        return sum((a, b))", "func", "pass"),
    ("a, b = map(int, input().split())\nprint(a - b)", "stdin", "wrong_answer"),
    ("def solve(a, b):\n    return str(a + b)", "func", "wrong_answer"),
    ("print(int(input()))", "stdin", "runtime_error"),
    ("def solve(a, b):\n    return [][a]", "func", "runtime_error"),
    ("print((1)", "stdin", "compile_error"),
    ("import collections, heapq, math, re\nprint(sum(map(int, open(0).read().split())))", "stdin", "pass"),
)


@dataclass(slots=True)
class Tally:
    """What came of a mix."""

    verdicts: Counter[str] = field(default_factory=Counter)
    #: Programs whose verdict was not right: name, verdict, evidence.
    wrong: list[tuple[str, str, str]] = field(default_factory=list)


def programs(count: int, hostile: Sequence[Program], *, share: float = 0.05, seed: int = 0) -> list[Program]:
    """That many programs, this share of them hostile, in an order that the seed decides."""
    draw = random.Random(seed)
    mixed = []
    for number in range(count):
        if draw.random() < share:
            mixed.append(draw.choice(hostile))
        else:
            source, mode, verdict = draw.choice(HARMLESS)
            mixed.append(Program(f"harmless-{number}", source, frozenset({verdict}), mode, ""))
    return mixed


async def run(mixed: Sequence[Program], sandbox: Sandbox, *, seed: int = 0, clients: int = 64) -> Tally:
    """Judge all of them, `clients` at a time; each is one test with numbers of its own."""
    draw, tally = random.Random(seed), Tally()
    waiting = iter([(program, draw.randrange(10**6), draw.randrange(10**6)) for program in mixed])

    async def client() -> None:
        for program, a, b in waiting:
            results = await judge.judge(program.source, _answer(program, a, b), sandbox, stop_at_failure=True)
            verdict, evidence = results[-1].verdict, results[-1].evidence
            tally.verdicts[verdict] += 1
            if verdict not in program.right:
                tally.wrong.append((program.name, verdict, evidence))

    await asyncio.gather(*[client() for _ in range(clients)])
    return tally


def _answer(program: Program, a: int, b: int) -> cases.Answer:
    if program.mode == "func":
        return cases.Functional(entry_point="solve", tests=(cases.Call((a, b), a + b),), limits=LIMITS)
    return cases.Stdio(tests=(cases.Case(f"{a} {b}\n", f"{a + b}\n"),), limits=LIMITS)
