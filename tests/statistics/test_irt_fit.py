"""The fit finds again what simulated students were made with, says how sure it is, and agrees with a
published one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.statistics.irt import Matrix, fit
from tests.support.students import covered, rms, students


def test_abilities_and_items_of_many_students_are_recovered() -> None:
    """500 students, 30 items, one sample: the classical case. No fit knows an ability better than 30 answers
    tell it, which is .37 here."""
    truth = students(500, 30, 1, seed=1)
    fitted = fit(truth.matrix)
    assert rms(fitted.theta - truth.theta) < 0.42
    assert rms(np.log(fitted.items.a / truth.a)) < 0.20
    assert rms(fitted.items.b - truth.b) < 0.25
    assert np.corrcoef(fitted.items.b, truth.b)[0, 1] > 0.97
    assert np.corrcoef(fitted.items.a, truth.a)[0, 1] > 0.9


def test_abilities_of_few_configurations_on_many_items_are_recovered() -> None:
    """16 configurations, 500 items, four samples: what evaluations look like."""
    truth = students(16, 500, 4, seed=0)
    fitted = fit(truth.matrix)
    assert rms(fitted.theta - truth.theta) < 0.07
    assert np.corrcoef(fitted.items.b, truth.b)[0, 1] > 0.93
    assert rms(np.log(fitted.items.a / truth.a)) < 0.35


@pytest.mark.parametrize(("configurations", "items", "samples"), [(400, 30, 1), (30, 60, 4), (16, 200, 4)])
def test_intervals_cover(configurations: int, items: int, samples: int) -> None:
    """95 % intervals hold the truth in 88 % to 100 % of all cases, over four draws. Those of few
    configurations hold it more often: what all abilities share is no error in this gauge."""
    shares = []
    for seed in range(4):
        truth = students(configurations, items, samples, seed)
        fitted = fit(truth.matrix)
        shares.append((
            covered(truth.theta, fitted.theta, fitted.theta_se),
            covered(truth.a, fitted.items.a, fitted.items.a_se),
            covered(truth.b, fitted.items.b, fitted.items.b_se),
        ))  # fmt: skip
    assert np.mean(shares, axis=0) == pytest.approx([0.95] * 3, abs=0.07)


def test_the_gauge_is_as_stated() -> None:
    fitted = fit(students(40, 50, 2, seed=3).matrix)
    assert fitted.theta.mean() == pytest.approx(0, abs=1e-9)
    # The standard deviation is 1 with what is not known of each ability included.
    assert 0.9 < fitted.theta.std() <= 1
    assert (fitted.items.a > 0).all()


#: What girth 0.8.0 finds (`twopl_mml`) in the outcomes of `students(600, 25, 1, seed=5)`; passes by item say
#: that they are the same.
PASSES = (
    17, 196, 118, 328, 240, 222, 475, 56, 373, 502, 53, 153, 415, 381, 16, 284, 571, 419, 59, 243, 167, 159,
    228, 365, 544,
)  # fmt: skip
GIRTH_A = (
    2.6156, 0.8167, 1.0411, 1.0395, 0.6991, 0.7621, 0.8254, 0.8426, 0.5475, 1.3843, 1.9196, 0.5066, 1.3833,
    0.9444, 0.9919, 2.3342, 1.4578, 1.0411, 1.4736, 0.4023, 1.416, 0.7771, 1.0767, 1.083, 1.4127,
)  # fmt: skip
GIRTH_B = (
    2.3238, 1.0116, 1.6269, -0.2205, 0.6435, 0.7873, -1.8361, 3.0214, -0.9697, -1.563, 1.8364, 2.2349,
    -0.7901, -0.6958, 4.0819, 0.0832, -2.6348, -0.9812, 2.004, 0.9933, 0.9167, 1.4784, 0.5618,
    -0.5035, -2.1028,
)  # fmt: skip


def test_it_agrees_with_girth() -> None:
    """girth has the same scale: abilities N(0, 1), no factor 1.7, harder items with the larger difficulty. It
    has no prior of b, so that the comparison is of items that some solve and some do not. (The distribution
    staged-harness-radar runs girth itself.)"""
    matrix = students(600, 25, 1, seed=5).matrix
    assert tuple(matrix.passes.sum(0)) == PASSES
    ours = fit(matrix)
    share = matrix.passes.mean(0)
    middle = (share > 0.1) & (share < 0.9)
    a, b = np.array(GIRTH_A)[middle], np.array(GIRTH_B)[middle]
    assert np.corrcoef(ours.items.b[middle], b)[0, 1] > 0.995
    assert rms(ours.items.b[middle] - b) < 0.1
    assert rms(np.log(ours.items.a[middle] / a)) < 0.12


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 6), st.integers(2, 8))
def test_order_does_not_matter_and_everything_is_finite(seed: int, configurations: int, items: int) -> None:
    """Rows and columns in another order give the same parameters, extreme ones included."""
    rng = np.random.default_rng(seed)
    passes = rng.integers(0, 2, (configurations, items)).astype(float)
    passes[0, 0], passes[-1, -1] = 1, 0
    names = tuple(f"c{i}" for i in range(configurations)), tuple(f"i{i}" for i in range(items))
    matrix = Matrix(*names, np.ones_like(passes), passes)
    fitted = fit(matrix)
    for values in (fitted.theta, fitted.theta_se, fitted.items.a, fitted.items.b_se, fitted.items.a_se):
        assert np.isfinite(values).all()
    turned = fit(Matrix(names[0][::-1], names[1][::-1], matrix.samples, passes[::-1, ::-1].copy()))
    assert turned.theta[::-1] == pytest.approx(fitted.theta, abs=0.02)
    assert turned.items.b[::-1] == pytest.approx(fitted.items.b, abs=0.05, rel=0.02)


@pytest.mark.parametrize("strong", [1, 2, 3])
@pytest.mark.parametrize("items", [2, 3])
def test_outcomes_that_a_step_separates_settle(strong: int, items: int) -> None:
    """One half passes everything and the other nothing: by the data alone the abilities were infinitely far
    apart."""
    passes = np.zeros((4, items))
    passes[:strong] = 1
    names = tuple("abcd"), tuple(f"i{i}" for i in range(items))
    fitted = fit(Matrix(*names, np.ones_like(passes), passes))
    assert np.isfinite(fitted.theta).all()
    assert fitted.theta[:strong].min() > fitted.theta[strong:].max()
