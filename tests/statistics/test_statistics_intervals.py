"""Both intervals of a score: bounds, coverage by simulation, and the published AIME noise."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.statistics import beta, score_counts, score_samples, wilson

problems = st.lists(
    st.integers(1, 16).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), min_size=1, max_size=40
)


@given(problems)
def test_intervals_hold_the_score_and_stay_within_bounds(counts):
    made = score_counts([c for c, _ in counts], [n for _, n in counts])
    for interval in (made.rerun, made.benchmark):
        assert 0 <= interval.low <= made.value <= interval.high <= 1
        assert interval.high > interval.low
    assert made.samples == sum(n for _, n in counts)


@given(problems)
def test_counts_and_samples_give_the_same_score(counts):
    rows = [[1.0] * c + [0.0] * (n - c) for c, n in counts]
    a, b = score_counts([c for c, _ in counts], [n for _, n in counts]), score_samples(rows)
    assert a.value == pytest.approx(b.value)
    assert a.rerun.low == pytest.approx(b.rerun.low)
    assert a.benchmark.high == pytest.approx(b.benchmark.high)


@given(problems, st.integers(2, 5))
def test_more_samples_of_the_same_rates_narrow_the_rerun_interval(counts, times):
    few = score_counts([2 * c for c, _ in counts], [2 * n for _, n in counts])
    many = score_counts([2 * times * c for c, _ in counts], [2 * times * n for _, n in counts])
    assert many.rerun.half <= few.rerun.half + 1e-9


def test_extreme_scores_are_not_certain():
    for passes in (0, 16):
        made = score_counts([passes] * 30, 16)
        assert made.rerun.high - made.rerun.low > 0.005
        assert made.benchmark.high - made.benchmark.low > 0.05


def simulate(rng, problems, k):
    """Problems of an AIME-like kind: mean within variance .069, between .136, mean .289."""
    mean, total = 0.289, 0.136 / (0.136 + 0.069)
    size = 1 / total - 1
    rates = rng.beta(mean * size, (1 - mean) * size, size=problems)
    return rates, rng.binomial(k, rates)


def test_noise_of_aime_is_what_is_published():
    """sober-reasoning's +-4.8 for single runs of a 1.5B model, 1.2 at k = 16, 6.9 as a sample of problems."""
    rng = np.random.default_rng(0)
    rerun, bench = [], []
    for _ in range(200):
        _, passes = simulate(rng, 30, 16)
        made = score_counts(passes, 16)
        rerun.append(made.rerun.se)
        bench.append(made.benchmark.se)
    assert np.mean(rerun) == pytest.approx(0.012, abs=0.002)
    assert np.mean(bench) == pytest.approx(0.069, abs=0.008)


@pytest.mark.parametrize("k", [2, 16])
def test_intervals_cover_as_often_as_they_claim(k):
    rng = np.random.default_rng(1)
    reruns = benchmarks = 0
    trials = 600
    for _ in range(trials):
        rates, passes = simulate(rng, 60, k)
        made = score_counts(passes, k)
        reruns += made.rerun.low <= rates.mean() <= made.rerun.high
        benchmarks += made.benchmark.low <= 0.289 <= made.benchmark.high
    assert 0.92 <= reruns / trials <= 0.985
    assert 0.92 <= benchmarks / trials <= 0.985


def test_one_sample_a_problem_gives_an_upper_bound_and_says_so():
    made = score_counts([1, 0, 1, 1] * 5, 1)
    assert "upper bound" in made.rerun.method
    whole = wilson(15, 20)
    assert made.rerun.low == pytest.approx(whole.low)


def test_one_problem_says_nothing_of_others():
    made = score_counts([3], [4])
    assert (made.benchmark.low, made.benchmark.high) == (0.0, 1.0)


def test_fractional_scores_are_taken():
    made = score_samples([[0.5, 0.75], [1.0, 1.0], [0.0, 0.25]])
    assert made.value == pytest.approx((0.625 + 1 + 0.125) / 3)


@pytest.mark.parametrize("rows", [[], [[]], [[1.5]], [[0.5], []]])
def test_bad_scores_are_refused(rows):
    with pytest.raises(ValueError, match=r"score|samples"):
        score_samples(rows)


def test_wilson_and_beta_match_known_values():
    # Newcombe 1998, table I: 81 of 263 and 0 of 20.
    assert (wilson(81, 263).low, wilson(81, 263).high) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson(0, 20).high == pytest.approx(0.1611, abs=5e-5)
    # The uniform prior after no pass in n: high = 1 - 0.025^(1/(n+1)).
    assert beta(0, 20).high == pytest.approx(1 - 0.025 ** (1 / 21))
