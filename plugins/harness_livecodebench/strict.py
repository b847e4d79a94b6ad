"""Grader `lcb-strict`: a program is run as anyone would run it.

A process for each test with a real stdin, the program as `__main__`; a non-zero exit code is a runtime
error. A method gets JSON values and gives one, compared as JSON. Answers stay outside the sandbox. Numbers
on a line compare exactly, in ASCII digits. What the benchmark promises is kept: its imports and recursion
limit, its time limit, its rules for lines.
"""

from __future__ import annotations

import re
from typing import Any, Final

from harness_code import cases, judge
from harness_code.results import TestResult
from harness_runner.values import Opaque

from harness.contract import Sandbox
from harness_livecodebench.grading import Grader, value_of
from harness_livecodebench.prelude import prelude_for
from harness_livecodebench.store import Test

_FUTURE: Final = re.compile(r"^from __future__ import [^\n(]*$", re.MULTILINE)


class StrictGrader(Grader):
    """Protocol `Verifier`."""

    name = "lcb-strict"

    async def grade(
        self, program: str, entry_point: str | None, tests: list[Test], sandbox: Sandbox
    ) -> list[TestResult]:
        source = with_prelude(program)
        stop = self._lcb.run == "first_failure"
        if entry_point is None:
            rows = tuple(cases.Case(given, right) for given, right in tests)
            asked = cases.Stdio(tests=rows, compare="decimals", limits=self.limits(tests))
            return await judge.judge(source, asked, sandbox, stop_at_failure=stop)
        calls = tuple(map(call, tests))
        results: list[TestResult] = []
        for probe in (True, False) if stop else (False,):
            # What the probe found goes before the first test that needs more time.
            put = cases.Functional(
                entry_point=entry_point, tests=calls[len(results) :], compare="json",
                limits=self.limits(tests, probe=probe),
            )  # fmt: skip
            results += await judge.judge(source, put, sandbox, stop_at_failure=stop)
            failed = next((n for n, result in enumerate(results) if not result.passed), None)
            if failed is None or not probe or results[failed].verdict != "time_limit":
                break
            del results[failed:]
        return results


def call(test: Test) -> cases.Call:
    """A functional test: each line is one argument, as JSON. A test that is not JSON fails whatever the
    program returns, as it does in the published harness."""
    given, right = test
    try:
        return cases.Call(tuple(value_of(line) for line in given.split("\n")), value_of(right))
    except ValueError:
        unreadable: Any = Opaque("a test that is not JSON")
        return cases.Call((), unreadable)


def with_prelude(program: str) -> str:
    """The program after the benchmark's imports; `from __future__` has to come first."""
    future = "".join(f"{line}\n" for line in _FUTURE.findall(program))
    return f"{future}{prelude_for(program)}\n{_FUTURE.sub('', program) if future else program}"
