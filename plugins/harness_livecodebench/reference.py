"""Grader `lcb-reference`: judges as the published harness does, faults included, without trusting programs.

All tests of a program run in one process, as there, held by `harness_runner.held` inside the sandbox: stdin
and `open` are mocks, SystemExit is swallowed, one `Solution` answers every call. The answers are outside, and
so is the comparison. Time is the program's own CPU time and not the clock's, which is the one rule that is
not kept: a busy host must not change verdicts.
"""

from __future__ import annotations

from typing import Any

from harness_code import judge
from harness_code.cases import Limits
from harness_code.results import TestResult, of_failure, wrong_or_passed

from harness.contract import Job, Raw, Sandbox
from harness_livecodebench.grading import Grader, value_of
from harness_livecodebench.prelude import prelude_for
from harness_livecodebench.rules import fenced, output_differs, value_differs
from harness_livecodebench.store import Test


class ReferenceGrader(Grader):
    """Protocol `Verifier`. Tests after the first failure are not judged, whatever `run` says."""

    name = "lcb-reference"

    def program(self, spoken: str) -> str | None:
        return fenced(spoken)

    async def grade(
        self, program: str, entry_point: str | None, tests: list[Test], sandbox: Sandbox
    ) -> list[TestResult]:
        results = await self._ask(program, entry_point, tests, sandbox, self.limits(tests, probe=True))
        if results[-1].verdict == "time_limit":
            results = await self._ask(program, entry_point, tests, sandbox, self.limits(tests))
        return results

    async def _ask(
        self, program: str, entry_point: str | None, asked: list[Test], sandbox: Sandbox, limits: Limits
    ) -> list[TestResult]:
        calls = [[given] if entry_point is None else given.split("\n") for given, _ in asked]
        raw = await sandbox.run(
            Job(
                held(program, entry_point), entry_point="graded", calls=calls,
                cpu_seconds=limits.cpu_seconds, wall_seconds=limits.wall_seconds,
                memory_mb=limits.memory_mb, output_bytes=limits.output_bytes,
                result_bytes=limits.result_bytes,
            )
        )  # fmt: skip
        lines = judge.lines_of(raw)
        if not lines or "loaded" not in lines[0]:
            return [of_failure(raw)]
        results: list[TestResult] = []
        for (_, right), line in zip(asked, lines[1:], strict=False):
            results.append(_judged(line, right, entry_point, raw))
            if not results[-1].passed:
                return results
        return results if len(results) == len(asked) else [*results, of_failure(raw)]


def _judged(line: dict[str, Any], right: str, entry_point: str | None, raw: Raw) -> TestResult:
    if "ok" not in line:
        return judge.failed_call(line, raw)
    value = line["ok"]
    if entry_point is not None:
        try:
            return wrong_or_passed(raw, value_differs(value, value_of(right)))
        except ValueError:
            return TestResult("runtime_error", "the test is not JSON")
    if not isinstance(value, str):
        return TestResult("runtime_error", "an answer of no known form")
    return wrong_or_passed(raw, output_differs(value, right))


def held(program: str, entry_point: str | None) -> str:
    """What a job runs before its calls: the program, loaded by the sandbox's own module."""
    return (
        "from harness_runner.held import graded, load\n"
        f"load({program!a}, {entry_point!r}, {prelude_for(program)!r})\n"
    )
