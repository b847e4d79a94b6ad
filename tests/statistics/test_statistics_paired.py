"""Paired comparisons: exact p-values, false alarms, power, flips."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from harness.statistics import compare, sign_flip_p


def counted(rates, k=1):
    return {f"p{i}": (r * k, k) for i, r in enumerate(rates)}


def test_the_exact_p_value_is_the_sign_test_where_all_differences_are_alike():
    for wins, losses in ((6, 0), (8, 2), (5, 5), (14, 0)):
        exact = stats.binomtest(wins, wins + losses).pvalue
        assert sign_flip_p([1.0] * wins + [-1.0] * losses + [0.0] * 7) == pytest.approx(exact)


def test_drawn_and_enumerated_p_values_agree():
    rng = np.random.default_rng(3)
    d = rng.normal(0.4, 1, size=40)
    drawn = sign_flip_p(d)
    normal = 2 * stats.norm.sf(abs(d.sum()) / np.sqrt((d**2).sum()))
    assert drawn == pytest.approx(normal, abs=0.02)
    assert sign_flip_p(d) == drawn, "the same data must give the same p-value"


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=12))
def test_the_p_value_is_symmetric_and_a_probability(d):
    p = sign_flip_p(d)
    assert 0 < p <= 1
    assert sign_flip_p([-x for x in d]) == pytest.approx(p)


def test_false_alarms_are_as_rare_as_claimed():
    rng = np.random.default_rng(5)
    alarms = 0
    for _ in range(300):
        rates = rng.beta(0.6, 1, size=12)
        a, b = rng.binomial(4, rates) / 4, rng.binomial(4, rates) / 4
        alarms += compare(counted(a, 4), counted(b, 4)).separated()
    assert alarms / 300 <= 0.085


def test_the_detectable_difference_is_detected_four_times_in_five():
    rng = np.random.default_rng(7)
    separated, claims = 0, []
    for _ in range(150):
        d = rng.normal(0.3, 0.75, size=50).clip(-1, 1)
        made = compare(counted([0.0] * 50), counted(d))
        claims.append(made.detectable)
        separated += made.separated()
    effect = 0.27
    assert np.mean(claims) == pytest.approx(effect, abs=0.04)
    assert 0.65 <= separated / 150 <= 0.92


def test_flips_are_listed_largest_first():
    made = compare(
        {"a": (0, 4), "b": (4, 4), "c": (1, 4), "d": (4, 4)},
        {"a": (2, 4), "b": (0, 4), "c": (4, 4), "d": (4, 4)},
    )
    assert [f.problem for f in made.gained] == ["c", "a"]
    assert [f.problem for f in made.lost] == ["b"]
    assert made.difference == pytest.approx((0.5 - 1 + 0.75) / 4)


def test_identical_results_are_a_tie_without_being_certain():
    made = compare(counted([1, 0, 1]), counted([1, 0, 1]))
    assert made.p == 1.0
    assert not made.separated()
    assert made.detectable > 0


def test_only_shared_problems_are_compared():
    made = compare({"a": (1, 1), "b": (0, 1)}, {"a": (1, 1), "c": (0, 1)})
    assert (made.problems, made.unpaired) == (1, 2)
    with pytest.raises(ValueError, match="no problem is in both"):
        compare({"a": (1, 1)}, {"b": (1, 1)})
