"""Real problems: reference solutions pass, and the same solutions spoilt do not."""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from harness_code import cases, judge
from harness_code.results import TestResult

from tests.support.data import data_folder
from tests.support.sandboxes import contained, sandbox

LIMITS = cases.Limits(cpu_seconds=6, wall_seconds=40, memory_mb=256)
Problem = tuple[str, str, cases.Answer]


@pytest.fixture(scope="module")
def pool() -> Iterator[Any]:
    with sandbox(contained(), slots=2) as made:
        yield made


def _rows(name: str) -> list[dict[str, Any]]:
    path: Path = data_folder() / "code" / name
    if not path.is_file():
        pytest.skip(f"no {path}")
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def humaneval() -> Iterator[Problem]:
    for row in _rows("humaneval.jsonl"):
        yield (
            row["task_id"],
            row["canonical_solution"],
            cases.Asserts(
                entry_point=row["entry_point"], tests=row["test"], prelude=row["prompt"], limits=LIMITS
            ),
        )


def mbpp() -> Iterator[Problem]:
    for row in _rows("mbpp.jsonl"):
        names = re.findall(r"^def (\w+)", row["code"], re.MULTILINE)
        asked = next(name for name in names if re.search(rf"\b{name}\s*\(", row["test_list"][0]))
        yield (
            f"MBPP/{row['task_id']}",
            row["code"],
            cases.Asserts(
                entry_point=asked,
                tests="\n".join(row["test_list"]),
                setup=row["test_setup_code"],
                limits=LIMITS,
            ),
        )


def _all(pool: Any, problems: list[Problem]) -> dict[str, list[TestResult]]:
    async def everything() -> list[list[TestResult]]:
        asked = [judge.judge(program, answer, pool, stop_at_failure=False) for _, program, answer in problems]
        return await asyncio.gather(*asked)

    return dict(zip([name for name, *_ in problems], asyncio.run(everything()), strict=True))


def _failed(judged: dict[str, list[TestResult]]) -> dict[str, TestResult]:
    return {name: r for name, results in judged.items() for r in results if not r.passed}


def test_all_of_humaneval_passes_and_nearly_all_of_it_is_strong(pool: Any) -> None:
    judged = _all(pool, list(humaneval()))
    assert _failed(judged) == {}
    assert len(judged) == 164
    assert sum(result.weak for results in judged.values() for result in results) <= 7


def test_all_of_mbpp_passes_and_nearly_all_of_it_is_strong(pool: Any) -> None:
    judged = _all(pool, list(mbpp()))
    assert _failed(judged) == {}
    assert len(judged) == 974
    assert sum(result.weak for results in judged.values() for result in results) <= 1


def test_spoilt_solutions_of_humaneval_fail(pool: Any) -> None:
    """A wrapper that gives every result but one kind another value: no test suite may pass it."""
    spoilt = []
    for name, program, answer in humaneval():
        assert isinstance(answer, cases.Asserts)
        asked = answer.entry_point
        wrap = f"\n_right = {asked}\ndef {asked}(*a, **k):\n    return [_right(*a, **k), 7]\n"
        spoilt.append((name, program + wrap, answer))
    judged = _all(pool, spoilt)
    passing = [name for name, results in judged.items() if all(r.passed for r in results)]
    assert passing == []
    assert set(Counter(r.verdict for rs in judged.values() for r in rs)) <= {
        "pass",
        "wrong_answer",
        "runtime_error",
    }


def livecodebench() -> Iterator[tuple[str, cases.Answer]]:
    for row in _rows("lcb_v6_problems.jsonl"):
        tests = row["public_test_cases"]
        if not tests:
            continue
        if tests[0]["testtype"] == "stdin":
            yield (
                row["question_id"],
                cases.Stdio(tests=tuple(cases.Case(t["input"], t["output"]) for t in tests), limits=LIMITS),
            )
        else:
            calls = tuple(
                cases.Call(
                    tuple(json.loads(line) for line in t["input"].split("\n")), json.loads(t["output"])
                )
                for t in tests
            )
            yield (
                row["question_id"],
                cases.Functional(
                    entry_point=row["fn_name_from_starter"], tests=calls, prelude=_PRELUDE, limits=LIMITS
                ),
            )


_PRELUDE = (
    "from typing import *\nfrom collections import *\nfrom itertools import *\nfrom functools import *\n"
    "from math import *\nfrom heapq import *\nfrom bisect import *\nfrom builtins import *\n"
    "import math, collections, itertools, functools\n"
)


def test_programs_that_the_benchmark_passes_pass_here(pool: Any) -> None:
    """Programs of a real model that LiveCodeBench graded as passing pass their public tests, all 222."""
    import gzip

    path = data_folder() / "outputs" / "lcb_qwen2.5-7b-instruct.jsonl.gz"
    if not path.is_file():
        pytest.skip(f"no {path}")
    answers = dict(livecodebench())
    with gzip.open(path, "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    problems = [
        (f"{row['question_id']}/{n}", code, answers[row["question_id"]])
        for row in rows
        for n, (code, graded) in enumerate(zip(row["code_list"], row["graded_list"], strict=True))
        if graded and row["question_id"] in answers
    ]
    assert len(problems) == 222
    assert _failed(_all(pool, problems)) == {}
