"""Means over seeds, Welch's test and first passages."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.statistics import detectable_over_seeds, first_passage, spread, welch_p


def test_the_interval_over_seeds_is_student_s():
    made = spread([0.6, 0.7, 0.8])
    assert made.interval is not None
    # t(0.975, 2) = 4.302653; sd = 0.1
    assert made.interval.half == pytest.approx(4.302653 * 0.1 / math.sqrt(3), rel=1e-6)
    assert (made.mean, made.median, made.low, made.high) == pytest.approx((0.7, 0.7, 0.6, 0.8))


def test_one_seed_has_no_interval_and_separates_nothing():
    assert spread([0.5]).interval is None
    assert welch_p([0.1], [0.9, 0.91]) == 1.0
    assert detectable_over_seeds([0.1], [0.9, 0.91]) == math.inf


def test_missing_values_are_refused():
    for values in ([], [float("nan")]):
        with pytest.raises(ValueError, match="finite"):
            spread(values)


def test_welch_separates_what_is_far_and_not_what_is_near():
    assert welch_p([0.65, 0.66, 0.67], [0.80, 0.79, 0.81]) < 0.001
    assert welch_p([0.65, 0.70, 0.60], [0.66, 0.71, 0.61]) > 0.5
    assert welch_p([0.5, 0.5], [0.5, 0.5]) == 1.0
    assert detectable_over_seeds([0.65, 0.66, 0.67], [0.80, 0.79, 0.81]) < 0.05


def test_first_passage_takes_the_first_evaluation_at_or_above():
    made = first_passage([[(0, 0.2), (100, 0.8), (200, 0.7)], [(0, 0.3), (100, 0.5), (200, 0.9)]], 0.8)
    assert made.by_seed == (100, 200)
    assert made.median == 150
    assert made.spread is not None
    assert made.spread.mean == 150


def test_a_seed_that_never_arrives_is_neither_dropped_nor_averaged():
    made = first_passage([[(0, 0.1), (50, 0.9)], [(0, 0.1), (50, 0.2)], [(0, 0.1), (60, 0.9)]], 0.8)
    assert made.by_seed == (50, None, 60)
    assert made.spread is None
    assert made.median == 60
    assert made.until == (50, 50, 60)
    never = first_passage([[(0, 0.1)], [(0, 0.9)], [(0, 0.2)]], 0.8)
    assert never.median is None


curve = st.lists(st.tuples(st.integers(0, 1000), st.floats(0, 1)), min_size=1, max_size=20)


@given(curve, st.floats(0, 1), st.floats(0, 1))
def test_a_higher_threshold_is_never_reached_earlier(points, a, b):
    low, high = sorted((a, b))
    early, late = first_passage([points], low).by_seed[0], first_passage([points], high).by_seed[0]
    assert late is None or (early is not None and early <= late)
