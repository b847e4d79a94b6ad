"""pass@k as a curve, with an interval over problems."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.statistics import over_problems, pass_at_k, pass_curve, score_counts
from harness.statistics.passes import spaced

counts = st.lists(st.integers(0, 50), min_size=2, max_size=8)


@given(counts)
def test_each_point_is_the_estimator_and_its_interval_holds_it(passes):
    samples = [50] * len(passes)
    for point in pass_curve(passes, samples):
        assert point.value == pytest.approx(pass_at_k(passes, samples, point.k).mean())
        assert point.benchmark.low <= point.value <= point.benchmark.high


@given(counts)
def test_at_k_1_it_is_the_scores_own_interval(passes):
    (first,) = pass_curve(passes, [50] * len(passes), [1])
    score = score_counts(passes, 50)
    assert first.value == pytest.approx(score.value)
    # But for the floor of its variance, which the score knows finer: it counts samples.
    if len(set(passes)) > 1 and np.var([p / 50 for p in passes], ddof=1) > 1 / len(passes):
        assert first.benchmark.low == pytest.approx(score.benchmark.low)


@given(st.integers(1, 5000))
def test_a_curve_goes_from_1_to_all_samples_in_few_steps(most):
    ks = spaced(most)
    assert (ks[0], ks[-1]) == (1, most)
    assert len(ks) <= 32
    assert ks == sorted(set(ks))


def test_no_samples_make_no_curve():
    assert spaced(0) == []


@pytest.mark.parametrize("values", [[], [0.5, 1.5], [-0.1]])
def test_values_that_are_no_rates_are_refused(values):
    with pytest.raises(ValueError, match=r"at least one problem|must lie in"):
        over_problems(values)


def test_one_problem_says_nothing_of_others():
    interval = over_problems([0.4])
    assert (interval.low, interval.high) == (0.0, 1.0)


def test_coverage_over_problems():
    """Problems drawn from a population whose mean pass@8 is known: the interval holds it about as often as it
    says."""
    rng = np.random.default_rng(0)
    truth = 1 - np.mean((1 - rng.beta(0.5, 1.5, 200_000)) ** 8)
    hits = 0
    for _ in range(300):
        passes = rng.binomial(64, rng.beta(0.5, 1.5, 40))
        (point,) = pass_curve(passes, [64] * 40, [8])
        hits += point.benchmark.low <= truth <= point.benchmark.high
    assert hits / 300 > 0.9
