"""What a code task must hold so that its verdict says something about a program."""

from __future__ import annotations

from harness_sandbox.exchange import MAX_OUTPUT

from harness.contract import DataError
from harness_code import asserts, cases, compare, counting, oracles

_FORMS = "asserts that run: at the top level, or in check(candidate)"


def refuse_unfit(answer: cases.Answer, *, where: str) -> None:
    """Refuse an answer that tests nothing, or that no program can meet.

    Raises:
        DataError: there are no tests, no assertion about the program runs, every program passes that prints
            nothing, a rule has no known name, or what is right is longer than a sandbox gives back.
    """
    match answer:
        case cases.Stdio():
            _stdio(answer, where)
        case cases.Functional():
            compare.rule(answer.compare, compare.VALUE_RULES, where=where)
            if not answer.tests:
                raise DataError("has no tests: every program would pass", where=where)
            if not answer.entry_point.isidentifier():
                raise DataError(f"entry_point {answer.entry_point!r} is no name of a function", where=where)
        case cases.Checked():
            compare.rule(answer.oracle, oracles.ORACLES, where=where)
            try:
                tests = answer.tests()
            except (ValueError, TypeError) as error:
                raise DataError(f"its calls cannot be read: {error}", where=where) from None
            if not tests:
                raise DataError("has no tests: every program would pass", where=where)
            if not answer.entry_point.isidentifier():
                raise DataError(f"entry_point {answer.entry_point!r} is no name of a function", where=where)
        case cases.Asserts():
            if asserts.questions(answer.tests, answer.entry_point):
                return
            try:
                counting.counting(asserts.program(answer), answer.entry_point)
            except counting.NotTests as fault:
                raise DataError(
                    f"tests nothing: {fault}", where=where, allowed=_FORMS, hint="call the test functions"
                ) from None


def _stdio(answer: cases.Stdio, where: str) -> None:
    compare.rule(answer.compare, compare.TEXT_RULES, where=where)
    if not answer.tests:
        raise DataError("has no tests: every program would pass", where=where)
    if answer.checker:
        if "check" not in answer.checker:
            raise DataError("its checker defines no check(input, output, expected)", where=where)
    elif not any(case.output.strip() for case in answer.tests):
        raise DataError("expects no output of any test: a program that does nothing would pass", where=where)
    for number, case in enumerate(answer.tests, 1):
        if len(case.output) > MAX_OUTPUT:
            raise DataError(
                f"the output of test {number} has {len(case.output):,} characters", where=where,
                allowed=f"at most {MAX_OUTPUT:,} bytes, as much as a sandbox gives back",
            )  # fmt: skip
