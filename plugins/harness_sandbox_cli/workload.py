"""What a host is measured with: programs as a model writes them, with the tests of LiveCodeBench.

If the data folder has them, they are the recorded answers of Qwen2.5-7B-Instruct with the public tests
of their problems. Else they are made here, to the same counts and times, and every report says which.
"""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

OUTPUTS: Final = "outputs/lcb_qwen2.5-7b-instruct.jsonl.gz"
PROBLEMS: Final = "code/lcb_v6_problems.jsonl"
#: What solutions on LeetCode may take for imported.
PRELUDE: Final = """\
import bisect, collections, functools, heapq, itertools, math, operator, random, re, string, sys
from bisect import *
from collections import *
from functools import *
from heapq import *
from itertools import *
from math import *
from typing import *
"""


@dataclass(frozen=True, slots=True)
class Work:
    """One program and what it is asked: an answer as `harness_code.cases.parse` reads it."""

    name: str
    program: str
    answer: Mapping[str, Any]

    @property
    def tests(self) -> int:
        return len(self.answer["tests"])


def lcb(data: Path | None, *, time_limit: float = 6.0, seed: int = 0) -> tuple[list[Work], str]:
    """All programs in a shuffled order, and where they come from.

    Args:
        data: a folder with `OUTPUTS` and `PROBLEMS`, None if there is none.
        time_limit: CPU seconds of one test.
        seed: of the order, and of what is made.
    """
    limits = {"cpu_seconds": time_limit, "wall_seconds": 3 * time_limit, "memory_mb": 512}
    if data is not None and (data / OUTPUTS).is_file() and (data / PROBLEMS).is_file():
        works, told = _recorded(data, limits), "recorded answers of Qwen2.5-7B-Instruct, public tests"
    else:
        works, told = _made(1000, limits, seed), "made here, to the counts and times of recorded answers"
    random.Random(seed).shuffle(works)
    tests = sum(work.tests for work in works)
    return works, f"{told}: {len(works)} programs, {tests} tests"


def _recorded(data: Path, limits: Mapping[str, Any]) -> list[Work]:
    problems = {}
    with (data / PROBLEMS).open(encoding="utf-8") as file:
        for line in file:
            problem = json.loads(line)
            if problem["public_test_cases"]:
                problems[problem["question_id"]] = problem
    works = []
    with gzip.open(data / OUTPUTS, "rt", encoding="utf-8") as file:
        for line in file:
            row = json.loads(line)
            if (problem := problems.get(row["question_id"])) is not None:
                answer = _answer(problem, limits)
                works += [Work(row["question_id"], code, answer) for code in row["code_list"]]
    return works


def _answer(problem: Mapping[str, Any], limits: Mapping[str, Any]) -> dict[str, Any]:
    cases = problem["public_test_cases"]
    if cases[0]["testtype"] == "stdin":
        tests = [{"input": case["input"], "output": case["output"]} for case in cases]
        return {"kind": "stdio", "tests": tests, "compare": "lines", "limits": limits}
    tests = [
        {
            "args": [json.loads(line) for line in case["input"].splitlines() if line.strip()],
            "expected": json.loads(case["output"]),
        }
        for case in cases
    ]
    name = problem["fn_name_from_starter"]
    return {"kind": "functional", "entry_point": name, "tests": tests, "prelude": PRELUDE, "limits": limits}


#: Tests of a problem and how many of 879 problems have so many.
_TESTS: Final = ((1, 32), (2, 340), (3, 449), (4, 52), (5, 4), (6, 2))
#: What becomes of a program and of how many in a thousand; loops of the long ones.
_FATES: Final = (("right", 620), ("wrong", 275), ("error", 95), ("slow", 6), ("endless", 4))


def _made(count: int, limits: Mapping[str, Any], seed: int) -> list[Work]:
    draw = random.Random(seed + 1)
    works = []
    for number in range(count):
        (fate,) = draw.choices([f for f, _ in _FATES], [n for _, n in _FATES])
        (tests,) = draw.choices([t for t, _ in _TESTS], [n for _, n in _TESTS])
        inputs = [[draw.randrange(10**6) for _ in range(draw.randrange(1, 40))] for _ in range(tests)]
        maker = _made_stdio if draw.random() < 0.57 else _made_function
        works.append(maker(f"made-{number}", fate, inputs, limits))
    return works


_BODY: Final = {
    "right": "    best = 0\n    for x in numbers:\n        best = max(best + x, x)\n",
    "wrong": "    best = 1\n    for x in numbers:\n        best = max(best + x, x)\n",
    "error": "    best = numbers[len(numbers)]\n",
    "slow": "    best = 0\n    for _ in range(8000000):\n        best += 1\n    best = sum(numbers)\n",
    "endless": "    best = 0\n    while True:\n        best += 1\n",
}
_IMPORTS: Final = "import sys\nfrom collections import defaultdict, deque\nimport heapq\n\n"


def _made_stdio(name: str, fate: str, inputs: Sequence[Sequence[int]], limits: Mapping[str, Any]) -> Work:
    program = (
        f"{_IMPORTS}def solve(numbers):\n{_BODY[fate]}    return best\n\n"
        "n = int(input())\nprint(solve(list(map(int, sys.stdin.readline().split()))))\n"
    )
    tests = [{"input": f"{len(xs)}\n{' '.join(map(str, xs))}\n", "output": f"{sum(xs)}\n"} for xs in inputs]
    return Work(name, program, {"kind": "stdio", "tests": tests, "compare": "lines", "limits": limits})


def _made_function(name: str, fate: str, inputs: Sequence[Sequence[int]], limits: Mapping[str, Any]) -> Work:
    body = "".join(f"    {line}\n" for line in _BODY[fate].splitlines())
    program = f"class Solution:\n    def total(self, numbers: List[int]) -> int:\n{body}        return best\n"
    tests = [{"args": [list(xs)], "expected": sum(xs)} for xs in inputs]
    answer = {"kind": "functional", "entry_point": "total", "tests": tests, "prelude": PRELUDE}
    return Work(name, program, {**answer, "limits": limits})
