"""Estimator `posterior`: drift, verifier noise and published priors."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from harness_difficulty.density import moments
from harness_difficulty.options import PosteriorOptions
from harness_difficulty.posterior import Posterior
from hypothesis import given
from hypothesis import strategies as st

from harness.contract.records import Difficulty, PolicyRef
from harness.testing import EstimatorConformance
from tests.support.live_session import context


class TestPosterior(EstimatorConformance):
    name = "posterior"


class TestPosteriorWithAll(EstimatorConformance):
    name = "posterior"
    options = {"drift": 0.5, "false_pass": 0.05, "false_fail": 0.1, "samples": 16}


def seen(passes: int, samples: int, policy: str = "0", subject: str = "s") -> Difficulty:
    return Difficulty(
        subject=subject, model="policy", policy=PolicyRef(weights_sha=policy), samples=samples, passes=passes
    )


def rate(estimator: Posterior, outcome: Difficulty) -> tuple[float, float]:
    label = estimator.fit({outcome.subject: outcome})[outcome.subject]
    return label.extra["rate"], label.extra["rate_sd"]


@given(st.integers(0, 64), st.integers(0, 64))
def test_without_noise_past_and_prior_it_is_the_beta_posterior(passes: int, samples: int) -> None:
    outcome = seen(min(passes, samples), samples)
    mean, sd = rate(Posterior(PosteriorOptions()), outcome)
    assert mean == pytest.approx(outcome.mean, abs=2e-4)
    assert sd == pytest.approx(outcome.sd, abs=2e-3)


@given(st.floats(0, 0.4), st.floats(0, 0.4), st.floats(0.02, 0.98))
def test_with_enough_samples_noise_is_taken_out(fp: float, fn: float, p: float) -> None:
    n = 1_000_000.0
    shown = (1 - fn) * p + fp * (1 - p)
    made = moments(
        np.array([[n * shown, n * (1 - shown)]]), np.zeros((1, 2)), (0, 1), false_pass=fp, false_fail=fn
    )
    assert made.mean[0] == pytest.approx(p, abs=1 / 256)


def test_noise_tells_a_subject_that_is_never_solved_from_one_that_is_solved_rarely() -> None:
    """Two passes of 40 where the verifier passes one wrong answer in 20 are no evidence of any skill."""
    plain, _ = rate(Posterior(PosteriorOptions()), seen(2, 40))
    noisy, _ = rate(Posterior(PosteriorOptions(false_pass=0.05)), seen(2, 40))
    assert noisy < 0.65 * plain


def test_evidence_of_earlier_policies_fades_with_each_change() -> None:
    estimator = Posterior(PosteriorOptions(drift=0.5))
    rate(estimator, seen(40, 40, "a"))
    assert rate(estimator, seen(0, 10, "b"))[0] == pytest.approx((20 + 1) / (20 + 10 + 2), abs=1e-3)
    assert rate(estimator, seen(0, 10, "b"))[0] == pytest.approx(21 / 32, abs=1e-3), "fitting again adds none"
    assert rate(estimator, seen(0, 10, "c"))[0] == pytest.approx((10 + 1) / (10 + 5 + 10 + 2), abs=1e-3)
    forgetting = Posterior(PosteriorOptions())
    rate(forgetting, seen(40, 40, "a"))
    assert rate(forgetting, seen(0, 10, "b"))[0] == pytest.approx(1 / 12, abs=1e-3)


def test_a_measurement_that_agrees_with_the_last_one_costs_less() -> None:
    options = PosteriorOptions(samples=64, min_samples=4, low=0.3, high=0.7, confidence=0.9, drift=0.9)
    estimator = Posterior(options)
    assert estimator.requests({"s": seen(2, 4)}, ["s"])
    estimator.fit({"s": seen(20, 40, "a")})
    assert not estimator.requests({"s": seen(2, 4, "b")}, ["s"])
    assert estimator.requests({}, ["s"]), "one round at least"


def measured(estimator: Posterior, begun: Difficulty | None, ended: Difficulty) -> tuple[float, float]:
    """The rate after a measurement, with what it began with."""
    estimator.requests({} if begun is None else {begun.subject: begun}, [ended.subject])
    return rate(estimator, ended)


def beta(passes: float, samples: float) -> object:
    return pytest.approx((passes + 1) / (samples + 2), abs=1e-3)


@pytest.mark.parametrize("drift", [0.0, 0.5, 1.0])
def test_measuring_the_same_policy_again_adds_to_what_is_known(drift: float) -> None:
    estimator = Posterior(PosteriorOptions(drift=drift))
    assert measured(estimator, None, seen(30, 32, "a"))[0] == beta(30, 32)
    assert measured(estimator, None, seen(4, 8, "a"))[0] == beta(34, 40)
    assert measured(estimator, None, seen(1, 2, "a"))[0] == beta(35, 42)
    assert rate(estimator, seen(1, 2, "a"))[0] == beta(35, 42), "fitting again adds none"
    assert measured(estimator, None, seen(0, 10, "b"))[0] == beta(drift * 35, drift * 42 + 10)


def test_samples_that_the_store_gives_back_count_once() -> None:
    estimator = Posterior(PosteriorOptions(drift=1))
    measured(estimator, None, seen(30, 32, "a"))
    assert measured(estimator, seen(30, 32, "a"), seen(34, 40, "a"))[0] == beta(34, 40)
    assert measured(estimator, seen(34, 40, "a"), seen(34, 40, "a"))[0] == beta(34, 40)
    assert measured(estimator, None, seen(0, 8, "b"))[0] == beta(34, 48)


def test_outcomes_of_training_count_in_the_measurement_that_is_given_them_alone() -> None:
    def trained(passes: int, samples: int, policy: str) -> Difficulty:
        return replace(seen(passes, samples, policy), criterion="training")

    estimator = Posterior(PosteriorOptions(drift=1))
    assert measured(estimator, trained(10, 20, "a"), trained(14, 28, "a"))[0] == beta(14, 28)
    assert rate(estimator, trained(14, 28, "a"))[0] == beta(14, 28), "fitting again adds none"
    # Of the measurement before, 4 of 8 were measured; the 20 come back in what training gives now.
    assert measured(estimator, trained(16, 30, "b"), trained(20, 38, "b"))[0] == beta(24, 46)


def test_the_decision_to_stop_and_the_label_rest_on_the_same_evidence() -> None:
    options = PosteriorOptions(samples=64, min_samples=4, low=0.3, high=0.7, confidence=0.9, drift=1)
    for begun in (None, seen(20, 40, "a")):
        estimator = Posterior(options)
        estimator.fit({"s": seen(20, 40, "a")})
        estimator.requests({} if begun is None else {"s": begun}, ["s"])
        now = seen(2, 4, "a") if begun is None else seen(22, 44, "a")
        assert not estimator.requests({"s": now}, ["s"]), "22 of 44"
        assert rate(estimator, now)[0] == beta(22, 44)
    doubled = Posterior(options)
    doubled.fit({"s": seen(5, 10, "a")})
    assert doubled.requests({"s": seen(5, 10, "a")}, ["s"]), "the store's 5 of 10 decide no more than once"


def test_a_measurement_that_was_interrupted_goes_on_with_what_it_began_with() -> None:
    options = PosteriorOptions(drift=1)
    estimator = Posterior(options)
    measured(estimator, None, seen(30, 32, "a"))
    estimator.requests({}, ["s"])
    again = Posterior(options)
    again.load_state_dict(json.loads(json.dumps(estimator.state_dict())))
    again.requests({"s": seen(20, 40, "a")}, ["s"])
    assert rate(again, seen(20, 40, "a"))[0] == beta(50, 72), "the 40 are no samples of the store"


def test_a_published_rate_is_a_prior_that_measurements_overrule(tmp_path) -> None:  # type: ignore[no-untyped-def]
    published = {"big": {"s": replace(seen(0, 0), model="big", predicted=0.9)}}
    estimator = Posterior(PosteriorOptions(prior="big", prior_samples=8), context(tmp_path, labels=published))
    assert rate(estimator, seen(0, 0))[0] == pytest.approx((7.2 + 1) / (8 + 2), abs=1e-3)
    assert rate(estimator, seen(0, 200))[0] < 0.05
    assert rate(estimator, seen(0, 0, subject="unknown"))[0] == pytest.approx(0.5, abs=1e-6)


def test_its_state_outlives_a_run() -> None:
    estimator = Posterior(PosteriorOptions(drift=0.5))
    estimator.fit({"s": seen(40, 40, "a")})
    again = Posterior(PosteriorOptions(drift=0.5))
    again.load_state_dict(json.loads(json.dumps(estimator.state_dict())))
    assert rate(again, seen(0, 10, "b")) == rate(estimator, seen(0, 10, "b"))
