"""The judge: asks a program through a sandbox and compares what comes back. It is trusted, and
trusts nothing that comes back: everything is bounded, decoded into plain values and compared here.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final

from harness_runner import values

from harness.contract import Job, Raw, Sandbox
from harness_code import asserts, cases, compare, counting, oracles
from harness_code.results import TestResult, compared, of_failure, wrong_or_passed

#: Seconds for a custom checker.
_CHECKER: Final = cases.Limits(cpu_seconds=10, wall_seconds=30, memory_mb=512)
#: Limits of a compiler, and the largest binary in bytes.
_COMPILER: Final = cases.Limits(cpu_seconds=20, wall_seconds=60, memory_mb=512)
_BINARY: Final = 32 << 20
#: Start of the evidence of a checker that broke.
_BROKEN: Final = "the checker failed"
#: Looks at a value that came out; None when it is right. And what is right, where it is known as a value.
Check = tuple[Callable[[Any], str | None], Any]


async def judge(
    program: str, answer: cases.Answer, sandbox: Sandbox, *, stop_at_failure: bool
) -> list[TestResult]:
    """The results of the tests, in order.

    With `stop_at_failure` tests after the first failure may be missing; else every test has a result.
    """
    match answer:
        case cases.Stdio():
            return await _stdio(program, answer, sandbox, stop_at_failure)
        case cases.Functional():
            return await _functional(program, answer, sandbox, stop_at_failure)
        case cases.Checked():
            return await _checked_calls(program, answer, sandbox, stop_at_failure)
        case cases.Asserts():
            return await _asserts(program, answer, sandbox, stop_at_failure)


def count(answer: cases.Answer) -> int:
    """How many tests there are."""
    if isinstance(answer, cases.Asserts):
        return max(len(asserts.questions(answer.tests, answer.entry_point)), 1)
    if isinstance(answer, cases.Checked):
        return len(answer.tests())
    return len(answer.tests)


# Programs that read and print -------------------------------------------------------------------


async def _stdio(
    program: str, answer: cases.Stdio, sandbox: Sandbox, stop_at_failure: bool
) -> list[TestResult]:
    rule = compare.rule(answer.compare, compare.TEXT_RULES)

    how: dict[str, Any] = {}
    if answer.language != "python":
        compiled = await sandbox.run(_job(program, _COMPILER, language=answer.language, result_bytes=_BINARY))
        if compiled.status != "ok":
            result = of_failure(compiled)
            if result.verdict != "infra_error":
                result = replace(result, verdict="compile_error")
            return [result] * len(answer.tests)
        how = {"language": answer.language, "binary": compiled.result}

    async def one(case: cases.Case) -> TestResult:
        raw = await sandbox.run(_job("" if how else program, answer.limits, stdin=case.input.encode(), **how))
        if raw.status != "ok":
            return of_failure(raw)
        try:
            output = raw.stdout.decode("utf-8")
        except UnicodeDecodeError as error:
            return wrong_or_passed(raw, f"the output is not UTF-8: {error}")
        if answer.checker:
            return await _checked(answer.checker, case, output, raw, sandbox)
        return compared(raw, lambda given: rule(given, case.output, answer.tolerance), output, case.output)

    if not stop_at_failure:
        return list(await asyncio.gather(*map(one, answer.tests)))
    results = []
    for case in answer.tests:
        results.append(await one(case))
        if not results[-1].passed:
            break
    return results


async def _checked(checker: str, case: cases.Case, output: str, raw: Raw, sandbox: Sandbox) -> TestResult:
    """Ask a checker. The answer enters a sandbox here, but one that the program is not in.

    A checker that breaks on a program's output, and not on the right one, was broken by the program.
    """
    told, said = await _ask_checker(checker, case, output, sandbox)
    if said is not None:
        return wrong_or_passed(raw, None if said else "the checker refused the output")
    if told.verdict != "infra_error" or told.evidence.startswith(_BROKEN):
        _, right = await _ask_checker(checker, case, case.output, sandbox)
        if right:
            return wrong_or_passed(raw, f"{told.evidence}, which it does not on the right output")
    return replace(told, verdict="infra_error")


async def _ask_checker(
    checker: str, case: cases.Case, output: str, sandbox: Sandbox
) -> tuple[TestResult, bool | None]:
    """What a checker says of an output; None and why if it says nothing."""
    asked = _job(checker, _CHECKER, entry_point="check", calls=[[case.input, output, case.output]])
    told = await sandbox.run(asked)
    if told.status == "infra_error":
        return of_failure(told), None
    lines = lines_of(told)[1:]
    if told.status == "ok" and lines and "ok" in lines[0]:
        return TestResult("pass"), lines[0]["ok"] is True
    why = lines[0].get("error", "") if lines else told.stderr.decode("utf-8", "replace")[-200:]
    return TestResult("infra_error", f"{_BROKEN}: {told.status} {why}"), None


# Functions that are called ----------------------------------------------------------------------


async def _functional(
    program: str, answer: cases.Functional, sandbox: Sandbox, stop_at_failure: bool
) -> list[TestResult]:
    rule = compare.rule(answer.compare, compare.VALUE_RULES)

    def check(expected: Any) -> Check:
        return lambda value: rule(value, expected, answer.tolerance), expected

    def job(start: int) -> Job:
        calls = [test.args for test in answer.tests[start:]]
        return _job(
            f"{answer.prelude}\n{program}", answer.limits, entry_point=answer.entry_point, calls=calls
        )

    checks = [check(test.expected) for test in answer.tests]
    return await _many(job, checks, sandbox, stop_at_failure)


async def _checked_calls(
    program: str, answer: cases.Checked, sandbox: Sandbox, stop_at_failure: bool
) -> list[TestResult]:
    rule = compare.rule(answer.oracle, oracles.ORACLES)
    tests = answer.tests()

    def check(expected: Any) -> Check:
        return lambda value: rule(value, expected, answer.tolerance), expected

    def job(start: int) -> Job:
        calls = [list(arguments) for arguments, _ in tests[start:]]
        source = f"{answer.prelude}\n{program}"
        return _job(source, answer.limits, entry_point=answer.entry_point, calls=calls)

    return await _many(job, [check(expected) for _, expected in tests], sandbox, stop_at_failure)


async def _asserts(
    program: str, answer: cases.Asserts, sandbox: Sandbox, stop_at_failure: bool
) -> list[TestResult]:
    questions = asserts.questions(answer.tests, answer.entry_point)
    if not questions:
        return [await _second_process(program, answer, sandbox)]

    def check(expectation: asserts.Expectation) -> Check:
        def differs(value: Any) -> str | None:
            return None if expectation.holds(value) else f"{compare.show(value)} is not {expectation}"

        return differs, expectation.known

    def job(start: int) -> Job:
        expressions = [question.expression for question in questions[start:]]
        source = f"{answer.prelude}\n{program}\n{answer.setup}\n"
        return _job(source, answer.limits, expressions=expressions)

    checks = [check(question.expectation) for question in questions]
    return await _many(job, checks, sandbox, stop_at_failure)


async def _many(
    job: Callable[[int], Job], checks: Sequence[Check], sandbox: Sandbox, stop_at_failure: bool
) -> list[TestResult]:
    """Ask everything in one process; if that ends early, go on after the test that ended it."""
    results: list[TestResult] = []
    while len(results) < len(checks):
        raw = await sandbox.run(job(len(results)))
        lines = lines_of(raw)
        if not lines or "loaded" not in lines[0]:
            # The program's own top level failed, and would again: every test left has that verdict.
            return results + [of_failure(raw)] * (len(checks) - len(results))
        answered = lines[1 : len(checks) - len(results) + 1]
        for line in answered:
            results.append(_answered(line, checks[len(results)], raw))
        if len(results) < len(checks):
            results.append(of_failure(raw))
        if stop_at_failure and not all(result.passed for result in results):
            break
    return results


def failed_call(line: dict[str, Any], raw: Raw) -> TestResult:
    """Of a call whose line has no value."""
    why = str(line.get("error", "an answer of no known form"))[:300]
    return TestResult("runtime_error", why, cpu_s=raw.cpu_s, peak_mb=raw.peak_mb)


def _answered(line: dict[str, Any], check: Check, raw: Raw) -> TestResult:
    if "ok" not in line:
        return failed_call(line, raw)
    rule, right = check
    return compared(raw, rule, line["ok"], right)


async def _second_process(program: str, answer: cases.Asserts, sandbox: Sandbox) -> TestResult:
    """Test code that cannot be turned into questions: it runs beside the program and calls it."""
    token, name = secrets.token_hex(16), answer.entry_point
    tests = counting.counting(asserts.program(answer), name).source
    source = f"{answer.prelude}\n{program}"
    job = _job(source, answer.limits, tests=tests, names=(name,), token=token)
    raw = await sandbox.run(job)
    told, _, asserted = raw.result.strip().partition(b" ")
    if raw.status == "ok" and secrets.compare_digest(told, token.encode()):
        if asserted.startswith(b"!"):
            name = asserted[1:].decode("ascii", "replace")
            return TestResult(
                "infra_error", f"the tests ask with a value that cannot cross to the program: {name}"
            )
        if not asserted.isdigit():
            return TestResult("infra_error", "the sandbox has an older runner, which counts no assertions")
        ran = int(asserted)
        return TestResult(
            "pass" if ran else "wrong_answer", "" if ran else "no assertion ran",
            weak=True, asserted=ran, cpu_s=raw.cpu_s, peak_mb=raw.peak_mb,
        )  # fmt: skip
    failure = of_failure(raw)
    verdict = failure.verdict
    if verdict == "runtime_error" and failure.evidence.startswith("AssertionError"):
        verdict = "wrong_answer"
    return TestResult(verdict, failure.evidence, weak=True, cpu_s=raw.cpu_s, peak_mb=raw.peak_mb)


# ------------------------------------------------------------------------------------------------


def _job(code: str, limits: cases.Limits, **how: Any) -> Job:
    how.setdefault("result_bytes", limits.result_bytes)
    return Job(
        code,
        cpu_seconds=limits.cpu_seconds,
        wall_seconds=limits.wall_seconds,
        memory_mb=limits.memory_mb,
        output_bytes=limits.output_bytes,
        **how,
    )


def lines_of(raw: Raw) -> list[dict[str, Any]]:
    """The lines of a result, decoded; one that is not ours reads as an error."""
    decoded: list[dict[str, Any]] = []
    for line in raw.result.split(b"\n")[:-1]:
        try:
            told = values.loads_outcome(line)
        except ValueError as error:
            told = {"error": f"an unreadable answer: {error}"[:300]}
        decoded.append(told)
    return decoded
