"""The ratio of medians over paired seeds: what it does not depend on, and that unknowns stay bounded."""

from __future__ import annotations

from math import inf

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.statistics import median_ratio

values = st.floats(1, 1e6)
pairs = st.lists(st.tuples(values, values), min_size=2, max_size=14)
few = settings(max_examples=40, deadline=None)


def known(numbers: list[float]) -> list[tuple[float, float]]:
    return [(x, x) for x in numbers]


def split(rows: list[tuple[float, float]]) -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
    return known([a for a, _ in rows]), known([b for _, b in rows])


@given(st.lists(values, min_size=2, max_size=14))
@few
def test_equal_arms_have_a_ratio_of_exactly_one(numbers: list[float]) -> None:
    made = median_ratio(known(numbers), known(numbers), resamples=200)
    assert made.value == 1
    assert made.interval == (1, 1)


@given(pairs, st.floats(0.01, 100))
@few
def test_a_unit_cancels(rows: list[tuple[float, float]], unit: float) -> None:
    ours, theirs = split(rows)
    one = median_ratio(ours, theirs, resamples=200)
    other = median_ratio(
        [(unit * a, unit * b) for a, b in ours], [(unit * a, unit * b) for a, b in theirs], resamples=200
    )
    assert other.value == pytest.approx(one.value)
    assert other.interval == pytest.approx(one.interval)


@given(pairs, st.floats(0.1, 10))
@few
def test_an_arm_that_needs_so_many_times_as_much_on_each_seed_has_that_ratio(
    rows: list[tuple[float, float]], times: float
) -> None:
    _, theirs = split(rows)
    made = median_ratio([(times * a, times * b) for a, b in theirs], theirs, resamples=200)
    assert made.value == pytest.approx(times)
    assert made.interval == pytest.approx((times, times))


@given(pairs, st.randoms())
@few
def test_the_order_of_seeds_does_not_matter(rows: list[tuple[float, float]], random: object) -> None:
    shuffled = list(rows)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    one, other = median_ratio(*split(rows), resamples=2000), median_ratio(*split(shuffled), resamples=2000)
    assert other.value == pytest.approx(one.value)
    assert one.interval is not None
    assert one.interval[0] <= one.low <= one.interval[1]


@given(pairs, st.data())
@few
def test_what_is_unknown_only_widens(rows: list[tuple[float, float]], data: st.DataObject) -> None:
    """A run that was cut short before it crossed: the bounds hold whatever it would have done."""
    ours, theirs = split(rows)
    whole = median_ratio(ours, theirs, resamples=200)
    cut = data.draw(st.sets(st.integers(0, len(rows) - 1), min_size=1))
    side = data.draw(st.sampled_from([ours, theirs]))
    for i in cut:
        low, _ = side[i]
        side[i] = (data.draw(st.floats(0, low)), inf)
    bounded = median_ratio(ours, theirs, resamples=200)
    assert bounded.low <= whole.low * (1 + 1e-12)
    assert bounded.high >= whole.high * (1 - 1e-12)
    assert whole.interval is not None
    assert bounded.interval is not None
    assert bounded.interval[0] <= whole.interval[0] * (1 + 1e-12)
    assert bounded.interval[1] >= whole.interval[1] * (1 - 1e-12)


def test_an_arm_that_never_crosses_is_bounded_from_below_alone() -> None:
    made = median_ratio([(500, inf)] * 10, known([100.0] * 10))
    assert (made.low, made.high, made.value) == (5, inf, None)
    assert made.interval == (5, inf)


def test_a_baseline_that_never_crosses_bounds_from_above_alone() -> None:
    made = median_ratio(known([100.0] * 10), [(500, inf)] * 10)
    assert (made.low, made.high) == (0, 0.2)


def test_a_minority_that_never_crosses_leaves_the_median_known() -> None:
    made = median_ratio([(100, 100)] * 8 + [(900, inf)] * 2, known([200.0] * 10))
    assert made.value == 0.5
    assert made.interval is not None
    assert made.interval[1] == inf


def test_fewer_than_ten_seeds_are_not_enough_and_one_has_no_interval() -> None:
    assert median_ratio(known([1.0]), known([2.0])).interval is None
    assert not median_ratio(known([1.0] * 9), known([2.0] * 9)).enough
    assert median_ratio(known([1.0] * 10), known([2.0] * 10)).enough


@pytest.mark.parametrize(
    ("arm", "baseline", "fault"),
    [([], [], "not paired"), ([1.0], [1.0, 2.0], "not paired"), ([1.0], [0.0], "is 0")],
)
def test_what_has_no_ratio_is_refused(arm: list[float], baseline: list[float], fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        median_ratio(known(arm), known(baseline))


def test_the_interval_holds_the_true_ratio_about_as_often_as_it_says() -> None:
    """Ten paired seeds, log-normal costs that share half of their variance: coverage of 95 % intervals."""
    rng = np.random.default_rng(1)
    held, studies, true = 0, 300, 0.5
    for _ in range(studies):
        shared, own = rng.standard_normal(10), rng.standard_normal((2, 10))
        costs = np.exp(0.25 * (shared + own))
        made = median_ratio(known((true * costs[0]).tolist()), known(costs[1].tolist()), resamples=1000)
        assert made.interval is not None
        held += made.interval[0] <= true <= made.interval[1]
    assert 0.91 <= held / studies <= 1.0
