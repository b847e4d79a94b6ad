"""A program's own value can fail it, and never make its verdict an `infra_error`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from harness_code import compare
from harness_runner import values
from hypothesis import given
from hypothesis import strategies as st

from harness.contract.records import Message, Task, Verdict, digest
from tests.plugins.code.test_code_verifier import options, rollout
from tests.support.sandboxes import build_context


@pytest.fixture(scope="module")
def verifier() -> Iterator[Any]:
    made = build_context().build("verifiers", "code", options(run="all_tests"))
    made.open()
    yield made
    made.close()


def _verdict(verifier: Any, answer: dict[str, Any], program: str) -> Verdict:
    task = Task(id="t", prompt=(Message("user", "?"),), verifier="code", answer=answer, domain="code")
    verdict: Verdict = verifier.verify(task, rollout(f"```python\n{program}\n```"))
    return verdict


def _functional(expected: Any, rule: str = "json") -> dict[str, Any]:
    return {
        "kind": "functional",
        "entry_point": "f",
        "compare": rule,
        "tests": [{"args": [3], "expected": expected}],
    }


@pytest.mark.parametrize("expected", [1.5, [1.5, 2.5], {"a": 1.5}, [[1.5]], 1e300])
@pytest.mark.parametrize(
    "value", ["10**400", "-10**400", "10**309", "[10**400, 2.5]", "{'a': 10**400}", "[[10**400]]"]
)
def test_an_integer_beyond_all_floats_is_a_wrong_answer(verifier: Any, expected: Any, value: str) -> None:
    verdict = _verdict(verifier, _functional(expected, "float"), f"def f(n):\n    return {value}")
    assert (verdict.status, verdict.score) == ("fail", 0.0)


@pytest.mark.parametrize("rule", sorted(compare.VALUE_RULES))
@pytest.mark.parametrize(
    "value",
    [
        "float('nan')",
        "float('-inf')",
        "10**5000",
        "1e308 * 10",
        "'x' * 10**5",
        "{(1, 2): 3}",
        "{1, (2,)}",
        "{1.5: [None]}",
        "object()",
        "lambda: 1",
        "[[]] * 1000",
        "b'\\xff'",
        "1j",
        "'\\ud800'",
        "True",
        "{True: 1, 1.0: 2}",
    ],
)
def test_no_value_breaks_a_comparison(verifier: Any, rule: str, value: str) -> None:
    verdict = _verdict(verifier, _functional([1, {"a": 2.5}], rule), f"def f(n):\n    return {value}")
    assert (verdict.status, verdict.score) == ("fail", 0.0)


_PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.complex_numbers()
    | st.binary()
    | st.integers(-5, 5).map(lambda n: 10 ** (400 + n)),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.text() | st.integers() | st.floats(), inner) | st.tuples(inner)
    ),
    max_leaves=8,
)


@pytest.mark.parametrize("rule", sorted(compare.VALUE_RULES))
@given(value=_PLAIN, expected=_PLAIN)
def test_rules_take_any_two_values(rule: str, value: Any, expected: Any) -> None:
    told = compare.VALUE_RULES[rule](values.unpack(values.pack(value)), expected, 1e-6)
    assert told is None or told


@pytest.mark.parametrize("rule", sorted(compare.TEXT_RULES))
@given(output=st.text(), expected=st.text() | st.floats().map(repr) | st.integers().map(str))
def test_rules_take_any_two_texts(rule: str, output: str, expected: str) -> None:
    told = compare.TEXT_RULES[rule](output, expected, 1e-6)
    assert told is None or told


CHECKER = "def check(given, output, expected):\n    return int(output) % 7 == int(expected) % 7\n"


@pytest.mark.parametrize(
    ("program", "status"),
    [
        ("print(7)", "pass"),
        ("print(8)", "fail"),
        ("print('x')", "fail"),
        ("print()", "fail"),
        ("print(1.5)", "fail"),
        ("print('7 7')", "fail"),
        ("print('9' * 60_000)", "fail"),
        ("", "fail"),
        ("print('0x7')", "fail"),
        ("print('\\x00')", "fail"),
    ],
)
def test_a_checker_that_breaks_on_an_output_fails_the_program(
    verifier: Any, program: str, status: str
) -> None:
    answer = {"kind": "stdio", "tests": [{"input": "1\n", "output": "14\n"}], "checker": CHECKER}
    assert _verdict(verifier, answer, program).status == status


def test_a_checker_that_breaks_on_what_is_right_is_no_fault_of_the_program(verifier: Any) -> None:
    answer = {
        "kind": "stdio",
        "tests": [{"input": "1\n", "output": "14\n"}],
        "checker": "def check(given, output, expected):\n    return undefined\n",
    }
    assert _verdict(verifier, answer, "print(7)").status == "infra_error"


@pytest.mark.parametrize(
    ("value", "expected", "right"),
    [
        ({1: 2}, {"1": 2}, True),
        ({1: 2}, {1: 2}, True),
        ({"1": 2}, {1: 2}, True),
        ({-3: "a"}, {"-3": "a"}, True),
        ({1: {2: 3}}, {"1": {"2": 3}}, True),
        ([{1: 2}], [{"1": 2}], True),
        ({True: 1}, {"true": 1}, True),
        ({None: 1}, {"null": 1}, True),
        ({1.5: 1}, {"1.5": 1}, True),
        ({1: 2}, {"2": 2}, False),
        ({1: 2}, {"1": 3}, False),
        ({1: 2, "1": 2}, {"1": 2}, False),
        ({"01": 2}, {"1": 2}, False),
        ({10**30: 1}, {"1" + "0" * 30: 1}, True),
        ({(1, 2): 3}, {"(1, 2)": 3}, False),
    ],
)
def test_keys_are_as_json_writes_them(value: Any, expected: Any, right: bool) -> None:
    assert (compare.json(value, expected) is None) == right
    assert compare.exact({1: 2}, {"1": 2}) is not None


def test_answers_with_integer_keys_and_long_integers_have_hashes() -> None:
    answers = ({1: 2}, {"1": 2}, {2: 1}, {1: 2, "1": 3}, 10**5000, 10**5001, [{1: 10**5000}])
    assert len({digest(answer) for answer in answers}) == len(answers)
    assert digest({1: 2, 3: 4}) == digest({3: 4, 1: 2})
