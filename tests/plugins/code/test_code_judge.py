"""The judge: each verdict for its cause, from real programs in a real sandbox."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from harness_code import cases, judge
from harness_code.results import TestResult
from harness_code.verifier import summary

from harness.contract.errors import DataError
from harness.contract.programs import Job, Raw
from tests.support.sandboxes import contained, sandbox

LIMITS = cases.Limits(cpu_seconds=1, wall_seconds=10, memory_mb=256, output_bytes=10_000)
SUMS = cases.Stdio(tests=tuple(cases.Case(f"{n} 1\n", f"{n + 1}\n") for n in range(4)), limits=LIMITS)
ADD = "a, b = map(int, input().split())\n"


@pytest.fixture(scope="module")
def pool() -> Iterator[Any]:
    with sandbox(contained(), slots=2) as made:
        yield made


def results(pool: Any, code: str, answer: cases.Answer, *, stop: bool = False) -> list[TestResult]:
    return asyncio.run(judge.judge(code, answer, pool, stop_at_failure=stop))


def verdicts(tested: Sequence[TestResult]) -> list[str]:
    return [result.verdict for result in tested]


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (ADD + "print(a + b)", ["pass"] * 4),
        (ADD + "print(a + b if a != 2 else 0)", ["pass", "pass", "wrong_answer", "pass"]),
        (ADD + "print(a + b); exit(a == 1)", ["pass", "runtime_error", "pass", "pass"]),
        (ADD + "print(a + b)\nwhile a == 3: pass", ["pass", "pass", "pass", "time_limit"]),
        (ADD + "x = bytearray((a == 0) << 31)\nprint(a + b)", ["memory_limit", "pass", "pass", "pass"]),
        (ADD + "print(a + b, ' ' * 20_000 * (a == 1))", ["pass", "output_limit", "pass", "pass"]),
        ("print(", ["compile_error"] * 4),
        ("import os; os.write(1, b'\\xff')", ["wrong_answer"] * 4),
        ("", ["wrong_answer"] * 4),
    ],
)
def test_programs(pool: Any, code: str, expected: list[str]) -> None:
    tested = results(pool, code, SUMS)
    assert verdicts(tested) == expected
    assert all(result.evidence for result in tested if not result.passed)


def test_stopping_at_the_first_failure_runs_no_more(pool: Any) -> None:
    tested = results(pool, ADD + "print(a + b if a < 1 else 0)", SUMS, stop=True)
    assert verdicts(tested) == ["pass", "wrong_answer"]


FUNCTION = cases.Functional(
    entry_point="f", tests=tuple(cases.Call((n,), [n, n * n]) for n in range(4)), limits=LIMITS
)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("def f(n): return n, n * n", ["pass"] * 4),
        ("class Solution:\n    def f(self, n): return [n, n ** 2]", ["pass"] * 4),
        ("def f(n): return [n, n * n] if n != 1 else n", ["pass", "wrong_answer", "pass", "pass"]),
        ("def f(n): return [n, n * n // (n != 2 and 1)]", ["pass", "pass", "runtime_error", "pass"]),
        ("def f(n):\n    while n == 1: pass\n    return n, n * n", ["pass", "time_limit", "pass", "pass"]),
        ("import os\ndef f(n):\n    if n == 2: os._exit(0)\n    return n, n * n",
         ["pass", "pass", "runtime_error", "pass"]),
        ("import os\ndef f(n):\n    if n > 1: os.kill(os.getpid(), 11)\n    return n, n * n",
         ["pass", "pass", "runtime_error", "runtime_error"]),
        ("def f(n): return bytearray(n << 30) and (n, n * n)", ["wrong_answer", *["runtime_error"] * 3]),
        ("while True: pass", ["time_limit"] * 4),
        ("raise ValueError", ["runtime_error"] * 4),
        ("def g(n): return 1", ["runtime_error"] * 4),
        ("def f(n:", ["compile_error"] * 4),
    ],
)  # fmt: skip
def test_functions(pool: Any, code: str, expected: list[str]) -> None:
    tested = results(pool, code, FUNCTION)
    assert verdicts(tested) == expected
    assert all(result.evidence for result in tested if not result.passed)


def test_functions_are_asked_in_one_process(pool: Any) -> None:
    before = pool.stats.jobs
    results(pool, "def f(n): return n, n * n", FUNCTION)
    assert pool.stats.jobs == before + 1


WEAK = "for i in range(3):\n    assert f(i) == 2 * i\n"


@pytest.mark.parametrize(
    ("code", "tests", "expected", "weak"),
    [
        ("def f(n): return 2 * n", "assert f(1) == 2\nassert f(2) == 4", ["pass", "pass"], False),
        ("def f(n): return 2", "assert f(1) == 2\nassert f(2) == 4", ["pass", "wrong_answer"], False),
        ("def f(n): return 2 * n", WEAK, ["pass"], True),
        ("def f(n): return 2", WEAK, ["wrong_answer"], True),
        ("def f(n): raise SystemExit(0)", WEAK, ["runtime_error"], True),
        ("import os\nos._exit(0)", WEAK, ["runtime_error"], True),
        ("import sys\nsys.exit(0)", WEAK, ["runtime_error"], True),
        (
            "class E:\n    def __eq__(self, o): return True\ndef f(n): return E()",
            WEAK,
            ["wrong_answer"],
            True,
        ),
        ("def f(n):\n    while True: pass", WEAK, ["time_limit"], True),
    ],
)
def test_asserts(pool: Any, code: str, tests: str, expected: list[str], weak: bool) -> None:
    # The clock ends what hangs, and what is right has plenty of it.
    limits = cases.Limits(wall_seconds=2 if expected == ["time_limit"] else 20, memory_mb=256)
    answer = cases.Asserts(entry_point="f", tests=tests, limits=limits)
    tested = results(pool, code, answer)
    assert verdicts(tested) == expected
    assert {result.weak for result in tested} == {weak}


def test_asserts_beside_a_program_that_uses_up_its_cpu_time_are_out_of_time(pool: Any) -> None:
    # The program runs in a process of its own, and it is the tests' process that sees the end of it.
    limits = cases.Limits(cpu_seconds=1, wall_seconds=60, memory_mb=256)
    answer = cases.Asserts(entry_point="f", tests=WEAK, limits=limits)
    (result,) = results(pool, "def f(n):\n    while True: pass", answer)
    assert result.verdict == "time_limit"
    assert result.cpu_s > 1


CHECKER = (
    "def check(input, output, expected):\n    return sorted(output.split()) == sorted(expected.split())\n"
)


def test_a_checker_decides_where_several_outputs_are_right(pool: Any) -> None:
    answer = cases.Stdio(tests=(cases.Case("", "1 2"), cases.Case("", "2 2")), checker=CHECKER, limits=LIMITS)
    assert verdicts(results(pool, "print(2, 1)", answer)) == ["pass", "wrong_answer"]


@pytest.mark.parametrize("checker", ["def check(i, o, e): 1 / 0", "def check(:", "def other(): pass"])
def test_a_checker_that_fails_is_our_fault(pool: Any, checker: str) -> None:
    answer = cases.Stdio(tests=(cases.Case("", "1"),), checker=checker, limits=LIMITS)
    assert verdicts(results(pool, "print(1)", answer)) == ["infra_error"]


class Recording:
    """A sandbox that keeps what goes in."""

    def __init__(self, inner: Any) -> None:
        self.inner, self.jobs = inner, list[Job]()

    @property
    def width(self) -> int:
        return self.inner.width  # type: ignore[no-any-return]

    async def run(self, job: Job) -> Raw:
        self.jobs.append(job)
        return await self.inner.run(job)  # type: ignore[no-any-return]

    def close(self) -> None:
        self.inner.close()


@pytest.mark.parametrize(
    "answer",
    [
        cases.Stdio(tests=(cases.Case("1", "31337"),)),
        cases.Functional(entry_point="f", tests=(cases.Call((1,), 31337),)),
        cases.Asserts(entry_point="f", tests="assert f(1) == 31337"),
    ],
)
def test_no_expected_output_goes_into_a_sandbox(pool: Any, answer: cases.Answer) -> None:
    recording = Recording(pool)
    asyncio.run(judge.judge("def f(n): return n", answer, recording, stop_at_failure=False))
    assert recording.jobs
    assert not any("31337" in repr(job) for job in recording.jobs)


def _results(*words: str) -> list[TestResult]:
    return [TestResult(verdict, "why") for verdict in words]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("words", "total", "status", "score"),
    [
        (["pass", "pass"], 2, "pass", 1.0),
        (["pass", "wrong_answer"], 2, "partial", 0.5),
        (["wrong_answer", "time_limit"], 2, "fail", 0.0),
        (["time_limit", "wrong_answer"], 2, "timeout", 0.0),
        (["pass", "time_limit"], 3, "fail", 1 / 3),
        (["pass", "wrong_answer", "infra_error"], 3, "infra_error", None),
    ],
)
def test_a_programs_status_and_score(words: list[str], total: int, status: str, score: float | None) -> None:
    assert summary(_results(*words), total)[:2] == (status, score)


@pytest.mark.parametrize(
    "answer",
    [{}, {"kind": "other"}, {"kind": "stdio"}, {"kind": "stdio", "tests": [{"input": 1, "output": ""}]},
     {"kind": "functional", "tests": []}, {"kind": "stdio", "tests": [], "extra": 1}, "5", None],
)  # fmt: skip
def test_an_answer_of_no_known_form_is_refused_with_its_place(answer: object) -> None:
    with pytest.raises(DataError, match="task 'x'"):
        cases.parse(answer, where="task 'x'")
