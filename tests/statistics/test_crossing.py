"""Crossings and areas of learning curves: what is measured, what is bounded, and what does not matter."""

from __future__ import annotations

from itertools import accumulate
from math import inf

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from harness.statistics import area, crossing

scores = st.integers(0, 64).map(lambda passes: passes / 64)
curves = st.lists(st.tuples(st.integers(1, 5_000), scores), min_size=1, max_size=40).map(
    lambda steps: list(zip(accumulate([gap for gap, _ in steps]), [score for _, score in steps], strict=True))
)
thresholds = st.integers(1, 64).map(lambda passes: passes / 64)


def test_the_first_of_two_evaluations_in_a_row_counts_and_is_interpolated() -> None:
    curve = [(0, 0.2), (100, 0.9), (200, 0.5), (300, 0.9), (400, 0.8)]
    # The touch at 100 is single; between 200 and 300 the line meets 0.8 at three quarters.
    assert crossing(curve, 0.8).at == pytest.approx(275.0)


def test_a_curve_that_ends_above_once_has_not_crossed() -> None:
    made = crossing([(0, 0.1), (100, 0.4), (200, 0.9)], 0.8)
    assert (made.crossed, made.at, made.low, made.high) == (False, None, 100, inf)


def test_a_curve_that_begins_above_crosses_there() -> None:
    assert crossing([(50, 0.9), (100, 0.9)], 0.8).at == 50


def test_a_curve_without_points_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one point"):
        crossing([], 0.5)
    with pytest.raises(ValueError, match="reaches it"):
        area([(10, 0.5)], 20)


@given(curves, thresholds)
def test_a_crossing_lies_behind_an_evaluation_below_and_before_two_above(
    curve: list[tuple[float, float]], threshold: float
) -> None:
    made = crossing(curve, threshold)
    pairs = [i for i in range(len(curve) - 1) if min(curve[i][1], curve[i + 1][1]) >= threshold]
    assert made.crossed == bool(pairs)
    if pairs:
        at = made.at
        assert at is not None
        assert at <= curve[pairs[0]][0]
        assert not pairs[0] or at >= curve[pairs[0] - 1][0]
    else:
        assert made.low <= curve[-1][0]


@given(curves, thresholds, st.integers(2, 9))
def test_costs_in_another_unit_change_nothing_but_the_unit(
    curve: list[tuple[float, float]], threshold: float, unit: int
) -> None:
    one, other = crossing(curve, threshold), crossing([(unit * c, s) for c, s in curve], threshold)
    assert other.low == pytest.approx(unit * one.low)
    assert other.high == pytest.approx(unit * one.high)
    end = curve[-1][0]
    assert area([(unit * c, s) for c, s in curve], unit * end) == pytest.approx(area(curve, end))


@given(curves, thresholds)
def test_what_comes_after_a_crossing_does_not_move_it(
    curve: list[tuple[float, float]], threshold: float
) -> None:
    made = crossing(curve, threshold)
    assume(made.crossed)
    longer = [*curve, (curve[-1][0] + 10, 0.0), (curve[-1][0] + 20, 1.0)]
    assert crossing(longer, threshold) == made


@given(curves, thresholds)
def test_a_run_that_is_cut_short_has_bounds_that_hold(
    curve: list[tuple[float, float]], threshold: float
) -> None:
    whole = crossing(curve, threshold)
    for end in range(1, len(curve) + 1):
        part = crossing(curve[:end], threshold)
        assert part.low <= whole.low
        assert part.high >= whole.high


@given(curves, thresholds)
def test_an_evaluation_between_two_on_their_line_changes_nothing(
    curve: list[tuple[float, float]], threshold: float
) -> None:
    """A finer grid that shows the same curve gives the same crossing, unless it shows two above earlier."""
    assume(len(curve) > 1)
    end = curve[-1][0]
    (a, low), (b, high) = curve[0], curve[1]
    finer = [curve[0], ((a + b) / 2, (low + high) / 2), *curve[1:]]
    assert area(finer, end) == pytest.approx(area(curve, end))
    if low < threshold <= high and len(curve) > 2 and curve[2][1] >= threshold:
        assert crossing(finer, threshold).at == pytest.approx(crossing(curve, threshold).at)


@given(curves)
def test_an_area_is_a_mean_score(curve: list[tuple[float, float]]) -> None:
    values = [score for _, score in curve]
    assert min(values) - 1e-9 <= area(curve, curve[-1][0]) <= max(values) + 1e-9
    flat = [(cost, 0.25) for cost, _ in curve]
    assert area(flat, curve[0][0]) == pytest.approx(0.25)
