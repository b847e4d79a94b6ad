"""Asserts become questions; the answers stay outside, and what cannot become one is said so."""

from __future__ import annotations

import pytest
from harness_code.asserts import NotRewritable, modules, rewrite
from harness_runner.values import Opaque


@pytest.mark.parametrize(
    ("source", "expression", "right", "wrong"),
    [
        ("assert f(2, 3) == 5", "f(2, 3)", [5, 5.0], [6, "5", None, Opaque("int")]),
        ("assert 5 == f(2)", "f(2)", [5], [4]),
        ("assert f(1)", "f(1)", [True, 1, "x"], [False, 0, "", None, Opaque("X")]),
        ("assert not f(1)", "f(1)", [False, 0, []], [True, Opaque("X")]),
        ("assert f(1) is True", "f(1)", [True], [1, False]),
        ("assert f(1) is None", "f(1)", [None], [0, False]),
        ("assert f([1] * 3) != {1, 2}", "f([1] * 3)", [{1}], [{1, 2}]),
        ("assert abs(f(2) - 1.5) < 1e-6", "f(2)", [1.5, 1.5000001], [1.6, "1.5", None]),
        ("assert abs(1.5 - f(2)) <= 0.1", "f(2)", [1.45], [1.2]),
        ("assert math.isclose(f(2), 2 ** 0.5, rel_tol=0.001)", "f(2)", [1.4142], [1.5, float("nan")]),
        ("assert sorted(f(1)) == sorted([3, 1])", "sorted(f(1))", [[1, 3]], [[3, 1]]),
        ("assert f(1) in (1, 2)", "f(1)", [1, 2], [3]),
        ("assert 3 < f(1)", "f(1)", [4], [3, 2]),
        ("x = (1, 2)\nassert f(x) == (x, -1)", "f((1, 2))", [((1, 2), -1)], [((1,), -1)]),
        ("x = [1, 2]\nassert f(x) == -1", "f([1, 2])", [-1], [1]),
    ],
)  # fmt: skip
def test_an_assert_becomes_a_question(
    source: str, expression: str, right: list[object], wrong: list[object]
) -> None:
    (question,) = rewrite(source, "f")
    assert question.expression == expression
    assert all(question.expectation.holds(value) for value in right)
    assert not any(question.expectation.holds(value) for value in wrong)


def test_a_check_function_is_asked_about_the_function_it_is_given() -> None:
    source = '''
METADATA = {"author": "x"}

def check(candidate):
    """Tests."""
    assert candidate(1) == 2, "message"
    assert True
    assert candidate(2) == 3 and candidate(3) == 4
'''
    assert [q.expression for q in rewrite(source, "f")] == ["f(1)", "f(2)", "f(3)"]


@pytest.mark.parametrize(
    "source",
    [
        "for i in range(3):\n    assert f(i) == i",
        "assert f(1) == f(2)",
        "assert f(1) == helper(2)",
        "assert abs(f(2) - g(2)) < 1e-6",
        "assert (f(1) == 2) == True",
        "assert 3 in f(1)",
        "assert f(1) == 10 ** 1000000",
        "assert f(1) == 'a' * 10 ** 9",
        "y = f(1)\nassert y == 2",
        "assert (",
        "x = [1, 2]\nassert f(x) == (x, -1)",
        "x = [1]\nassert f(x) == 1\nassert f(x) == 2",
        "x = ([1],)\nassert f(x) is x",
        "def helper(): pass\ndef check(candidate):\n    assert candidate(1) == 1",
    ],
)
def test_what_is_more_than_asserts_is_not_rewritten(source: str) -> None:
    with pytest.raises(NotRewritable):
        rewrite(source, "f")


@pytest.mark.parametrize(
    "source", ["assert abs(f(2) - 1.5) < 1e-6", "assert math.isclose(f(2), 31337.0)", "assert f(1) == 31337"]
)
def test_no_answer_is_in_what_goes_in(source: str) -> None:
    assert not any("1.5" in q.expression or "31337" in q.expression for q in rewrite(source, "f"))


def test_modules_that_tests_leave_to_the_program_are_found() -> None:
    assert modules("assert sys.getsizeof(f()) == math.pi + other.x") == ["math", "sys"]
