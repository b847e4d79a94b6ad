"""Comparators: what counts as right, and what only looks like it."""

from __future__ import annotations

import pytest
from harness_code import compare
from harness_runner.values import Opaque
from hypothesis import given
from hypothesis import strategies as st

from harness.contract.errors import DataError


@pytest.mark.parametrize(
    ("rule", "output", "expected", "right"),
    [
        ("tokens", "1 2\n3", "1\n2 3\n", True),
        ("tokens", "1 2", "1 2 3", False),
        ("tokens", "1 2 3", "1 2", False),
        ("tokens", "", "1", False),
        ("tokens", "1.0", "1", False),
        ("tokens", "７", "7", False),
        ("lines", "a b \nc\n\n", "a b\nc", True),
        ("lines", "a  b", "a b", False),
        ("lines", "a\nb", "a b", False),
        ("decimals", " 1.0 2 \n\n", "1  2.00", True),
        ("decimals", "1e2", "100", True),
        ("decimals", "0.1", "0.10000000000000001", False),
        ("decimals", "1\n\n2", "1\n2", False),
        ("decimals", "a  b", "a b", False),
        ("decimals", "７", "7", False),
        ("decimals", "1_0", "10", False),
        ("decimals", "nan", "nan", True),
        ("decimals", "sNaN", "1", False),
        ("decimals", "0" * 500, "0", False),
        ("float", "0.3333333", "0.33333334", True),
        ("float", "0.34", "0.33333334", False),
        ("float", "1000000000.5", "1000000000", True),
        ("float", "٧", "7", False),
        ("float", "７", "7", False),
        ("float", "nan", "1", False),
        ("float", "inf", "1e400", False),
        ("float", "1e400", "2e400", False),
        ("float", "nan", "nan", True),
        ("float", "1_0", "10", False),
        ("float", "yes 1", "yes 1.0", True),
        ("unordered", "b 2\na 1\n", "a  1\nb 2", True),
        ("unordered", "a 1\na 1", "a 1", False),
    ],
)
def test_text(rule: str, output: str, expected: str, right: bool) -> None:
    why = compare.rule(rule, compare.TEXT_RULES)(output, expected, 1e-6)
    assert (why is None) is right, why


@pytest.mark.parametrize(
    ("rule", "value", "expected", "right"),
    [
        ("exact", 1, 1, True),
        ("exact", True, 1, False),
        ("exact", 1.0, 1, False),
        ("exact", [1, (2,)], [1, (2,)], True),
        ("exact", [1, [2]], [1, (2,)], False),
        ("exact", {"a": 1}, {"a": 1}, True),
        ("exact", {1: "a"}, {1.0: "a"}, False),
        ("exact", {1, 2}, {2, 1}, True),
        ("exact", {True}, {1}, False),
        ("json", (1, (2,)), [1, [2]], True),
        ("json", 2, 2.0, True),
        ("json", True, 1, False),
        ("json", None, 0, False),
        ("json", [], "", False),
        ("equal", True, 1, True),
        ("equal", (1,), [1], False),
        ("equal", float("nan"), 1, False),
        ("float", [0.1 + 0.2], [0.3], True),
        ("float", 3, 3.0000000001, True),
        ("float", 3, 4, False),
        ("float", True, 1.0, False),
        ("unordered", [[2], [1]], [[1], [2]], True),
        ("unordered", [1, 1], [1, 2], False),
        ("unordered", [1, 2, 3], [1, 2], False),
        ("unordered", 3, [3], False),
    ],
)
def test_values(rule: str, value: object, expected: object, right: bool) -> None:
    why = compare.rule(rule, compare.VALUE_RULES)(value, expected, 1e-6)
    assert (why is None) is right, why


@pytest.mark.parametrize("rule", sorted(compare.VALUE_RULES))
@pytest.mark.parametrize("expected", ["Answer", 7, None, [], {}])
def test_what_could_not_cross_is_never_right(rule: str, expected: object) -> None:
    assert compare.VALUE_RULES[rule](Opaque("Answer"), expected, 1e-6) is not None
    assert compare.VALUE_RULES[rule]([Opaque("Answer")], [expected], 1e-6) is not None


@given(st.text(max_size=50))
def test_an_output_is_right_for_itself(text: str) -> None:
    assert all(rule(text, text, 1e-6) is None for rule in compare.TEXT_RULES.values())


json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(json_like, json_like)
def test_stricter_rules_accept_no_more(one: object, other: object) -> None:
    accepts = {name: rule(one, other, 1e-6) is None for name, rule in compare.VALUE_RULES.items()}
    assert accepts["exact"] <= accepts["json"] <= accepts["float"]
    assert compare.VALUE_RULES["exact"](one, one, 0.0) is None


def test_evidence_is_short_whatever_came() -> None:
    why = compare.exact(10**5000, "x" * 10_000)
    assert why is not None
    assert len(why) < 300


def test_an_unknown_rule_names_near_ones() -> None:
    with pytest.raises(DataError, match="did you mean 'tokens'"):
        compare.rule("token", compare.TEXT_RULES)
