"""Estimator `pcl`: few subjects teach it, all have labels, and nothing that is predicted is counted."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from harness_difficulty.options import PclOptions
from harness_difficulty.pcl import Pcl, _with_own
from harness_difficulty.predicting import Rates
from scipy.special import expit

from harness.contract import DataError, Difficulty, Message, PolicyRef
from harness.testing import EstimatorConformance
from tests.support.live_session import context
from tests.support.prompts import sums


class TestPcl(EstimatorConformance):
    name = "pcl"


class TestPclFew(EstimatorConformance):
    """One of the subjects is not measured."""

    name = "pcl"
    options = {"subjects": 4, "samples": 4}
    measures_all = False
    #: Only subjects that were measured are ordered for sure.
    rates = {"dead": 0.0, "half": 0.5, "sure": 1.0, "sure-2": 1.0, "dead-2": 0.0}

    def test_it_ends_and_every_subject_has_a_label(self, estimator: Any) -> None:
        labels = estimator.fit(self.measure(estimator))
        assert set(labels) == set(self.rates)
        (rest,) = [label for label in labels.values() if not label.samples]
        assert 0 < rest.predicted < 1


#: Sums of 1 to 20 terms, by name, and how often they are solved.
RNG = np.random.default_rng(0)
TERMS = {f"t{i}": int(n) for i, n in enumerate(RNG.integers(1, 21, 600))}
PROMPTS = {name: sums(RNG, n) for name, n in TERMS.items()}
RATES = {name: float(expit(4 - 0.6 * n)) for name, n in TERMS.items()}


def outcome(subject: str, samples: int, passes: int, **more: Any) -> Difficulty:
    policy = PolicyRef(weights_sha="0")
    return Difficulty(subject=subject, model="policy", policy=policy, samples=samples, passes=passes, **more)


def made(**options: Any) -> Pcl:
    estimator = Pcl(PclOptions(**options), context(Path()))
    estimator.look(PROMPTS.__getitem__)
    return estimator


def sampled(wanted: dict[str, int], seed: int = 0) -> dict[str, Difficulty]:
    rng = np.random.default_rng(seed)
    return {s: outcome(s, n, int(rng.binomial(n, RATES[s]))) for s, n in wanted.items()}


def test_few_subjects_tell_of_all() -> None:
    estimator = made(subjects=96)
    wanted = estimator.requests({}, list(TERMS))
    assert len(wanted) == 96
    assert set(wanted.values()) == {8}
    outcomes = sampled(dict(wanted))
    assert not estimator.requests(outcomes, list(TERMS)), "one round is all"
    labels = estimator.fit(outcomes)
    rest = [name for name in TERMS if name not in outcomes]
    assert len(rest) == 504
    for name in rest:
        assert (labels[name].samples, labels[name].passes, labels[name].score_sum) == (0, 0, 0.0)
        assert labels[name].extra["rate"] == labels[name].predicted
    told, truth = np.array([labels[n].predicted for n in rest]), np.array([RATES[n] for n in rest])
    assert np.sqrt(np.mean((told - truth) ** 2)) < 0.12
    errors = np.array([labels[n].extra["rate_sd"] for n in rest])
    assert np.mean(np.abs(told - truth) < 1.96 * errors) > 0.9


def test_a_subject_that_was_measured_counts_once() -> None:
    """Its rate is what was predicted before it was seen, with its own samples."""
    estimator = made(subjects=1)
    estimator.requests({}, ["t0"])
    label = estimator.fit({"t0": outcome("t0", 8, 8)})["t0"]
    assert label.predicted == pytest.approx(0.5), "nothing was known before"
    assert 0.5 < label.extra["rate"] < 0.99
    assert label.extra["rate_sd"] < 0.3


def test_what_training_told_saves_the_rollouts() -> None:
    """`difficulty.reuse` brings outcomes of training back."""
    known = {
        n: replace(d, criterion="training") for n, d in sampled(dict.fromkeys(list(TERMS)[:100], 8)).items()
    }
    estimator = made(subjects=100)
    assert not estimator.requests(known, list(TERMS))
    labels = estimator.fit(known)
    easy, hard = (f(list(TERMS)[100:], key=lambda n: TERMS[n]) for f in (min, max))
    assert labels[hard].predicted < 0.3 < 0.7 < labels[easy].predicted
    assert labels[easy].criterion == "all_pass", "nothing of training stands behind a prediction"
    assert len(made(subjects=120).requests(known, list(TERMS))) == 20


def test_a_later_measurement_knows_what_the_one_before_taught_and_fits_twice_alike() -> None:
    estimator = made(subjects=200, memory=0.9)
    first = sampled(dict(estimator.requests({}, list(TERMS))))
    estimator.fit(first)
    state = json.loads(json.dumps(estimator.state_dict()))
    later = made(subjects=1, memory=0.9)
    later.load_state_dict(state)
    (subject,) = later.requests({}, list(TERMS))
    assert subject not in first, "each measurement draws anew"
    few = sampled({subject: 8})
    told = later.fit(few)
    assert later.fit(few) == told, "to fit again adds nothing"
    rest = [name for name in TERMS if name != subject]
    missed = np.sqrt(np.mean([(told[n].predicted - RATES[n]) ** 2 for n in rest]))
    assert missed < 0.15
    fresh = made(subjects=1)
    fresh.requests(few, list(TERMS))
    alone = fresh.fit(few)
    assert np.sqrt(np.mean([(alone[n].predicted - RATES[n]) ** 2 for n in rest])) > 2 * missed


def test_without_prompts_it_says_what_is_missing() -> None:
    estimator = Pcl(PclOptions(), context(Path()))
    estimator.requests({}, ["t0"])
    with pytest.raises(DataError, match="no prompts to predict from"):
        estimator.fit({"t0": outcome("t0", 8, 4)})


def test_turns_of_a_prompt_are_read_together() -> None:
    def look(subject: str) -> tuple[Message, ...]:
        return (Message("system", "Add."), *PROMPTS[subject])

    estimator = made()
    estimator.look(look)
    estimator.requests({}, ["t0", "t1"])
    assert set(estimator.fit({"t0": outcome("t0", 8, 4)})) == {"t0", "t1"}


def test_a_predictor_sure_beyond_rounding_still_gives_finite_labels() -> None:
    """Long prompts have large features: a prediction may be 0 or 1 to the last bit, and be wrong."""
    sure = Rates(np.array([0.0, 1.0, 1.0]), np.array([0.0, 0.0, 0.0]))
    joined = _with_own(sure, np.array([8.0, 0.0, 8.0]), np.array([8.0, 8.0, 8.0]))
    assert np.isfinite(joined.mean).all()
    assert np.isfinite(joined.sd).all()
    assert ((joined.mean >= 0) & (joined.mean <= 1)).all()
