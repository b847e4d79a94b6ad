"""Grader `lcb-reference`: judges as the published harness does, faults included, without trusting programs.

All tests of a program run in one process, as there, held by `driver` inside the sandbox: stdin and `open`
are mocks, SystemExit is swallowed, one `Solution` answers every call. The answers are outside, and so is the
comparison. Time is the program's own CPU time and not the clock's, which is the one rule that is not kept:
a busy host must not change verdicts.
"""

from __future__ import annotations

import marshal
from functools import cache
from importlib.resources import files
from importlib.util import MAGIC_NUMBER
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
                driver_with(program, entry_point), entry_point="graded", calls=calls,
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
        return TestResult("runtime_error", str(line.get("error", "an answer of no known form"))[:300])
    value = line["ok"]
    if entry_point is not None:
        try:
            return wrong_or_passed(raw, value_differs(value, value_of(right)))
        except ValueError:
            return TestResult("runtime_error", "the test is not JSON")
    if not isinstance(value, str):
        return TestResult("runtime_error", "an answer of no known form")
    return wrong_or_passed(raw, output_differs(value, right))


def driver_with(program: str, entry_point: str | None) -> str:
    """The driver with this program to load. Where the sandbox's Python is this one, it takes the driver as
    compiled here, which saves a quarter of a small job."""
    magic, code = _compiled()
    return (
        f"import _frozen_importlib_external as __python, marshal as __marshal\n"
        f"if __python.MAGIC_NUMBER == {magic!r}:\n"
        f"    exec(__marshal.loads({code!r}), globals())\n"
        f"else:\n"
        f"    exec({_source()!r}, globals())\n"
        f"PRELUDE = {prelude_for(program)!r}\nload({program!a}, {entry_point!r})\n"
    )


@cache
def _source() -> str:
    return files("harness_livecodebench").joinpath("driver.py").read_text("utf-8")


@cache
def _compiled() -> tuple[bytes, bytes]:
    code = compile(_source(), "driver.py", "exec", dont_inherit=True, optimize=2)
    return MAGIC_NUMBER, marshal.dumps(code)
