"""The predictor of pass rates from prompts: it learns what texts tell, says how little that is, and
forgets."""

from __future__ import annotations

import json

import numpy as np
import pytest
from harness_difficulty.predicting import WIDTH, Floats, Predictor, read
from harness_difficulty.text import features
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit

from harness.contract import Message
from tests.support.prompts import sums


def outcomes(rng: np.random.Generator, rates: Floats, samples: int = 8) -> tuple[Floats, Floats]:
    """Passes and samples."""
    return rng.binomial(samples, rates).astype(float), np.full(len(rates), float(samples))


def prompts(rng: np.random.Generator, count: int) -> tuple[Floats, Floats]:
    """Sums of 1 to 20 terms as the predictor sees them, and how many terms each has."""
    terms = rng.integers(1, 21, count)
    return read([sums(rng, int(n)) for n in terms]), terms.astype(float)


def test_nothing_is_known_before_anything_is_learned() -> None:
    told = Predictor()(prompts(np.random.default_rng(0), 20)[0])
    assert told.mean == pytest.approx([0.5] * 20)
    assert (told.sd > 0.25).all(), "a uniform rate has a deviation of .29"


def test_it_predicts_prompts_that_it_never_saw_as_well_as_it_says() -> None:
    """Rates that hang on the length, and differ by .7 logits between prompts of one length."""
    rng, predictor = np.random.default_rng(0), Predictor()
    seen, terms = prompts(rng, 2500)
    rates = expit(4 - 0.6 * terms + rng.normal(0, 0.7, len(terms)))
    for start in range(0, 1280, 64):
        part = slice(start, start + 64)
        predictor.learn(seen[part], *outcomes(rng, rates[part]))
    told, truth = predictor(seen[1280:]), rates[1280:]
    missed = np.sqrt(np.mean((told.mean - truth) ** 2))
    assert missed < 0.11
    assert missed < 0.35 * truth.std()
    assert np.sqrt(np.mean(told.sd**2)) == pytest.approx(missed, rel=0.25)
    assert 0.9 < np.mean(np.abs(told.mean - truth) < 1.96 * told.sd) < 0.99


def test_of_texts_that_tell_nothing_it_says_so() -> None:
    """Half of the prompts are always solved and half never, whatever they look like."""
    rng, predictor = np.random.default_rng(1), Predictor()
    seen, _ = prompts(rng, 1500)
    rates = rng.integers(0, 2, len(seen)).astype(float)
    for start in range(0, 1024, 64):
        part = slice(start, start + 64)
        predictor.learn(seen[part], *outcomes(rng, rates[part]))
    told = predictor(seen[1024:])
    assert np.abs(told.mean - 0.5).mean() < 0.12
    assert (told.sd > 0.4).all()
    assert predictor.apart > 0.8


def test_what_it_knows_fades_and_what_it_expects_stays() -> None:
    rng, predictor = np.random.default_rng(2), Predictor()
    seen, terms = prompts(rng, 400)
    predictor.learn(seen, *outcomes(rng, expit(4 - 0.6 * terms)))
    before = predictor(seen[:50])
    predictor.fade(0.3)
    after = predictor(seen[:50])
    assert (after.sd > before.sd).all()
    assert np.corrcoef(before.mean, after.mean)[0, 1] > 0.99
    for _ in range(6):
        predictor.learn(seen, *outcomes(rng, np.full(400, 0.9)))
        predictor.fade(0.3)
    assert predictor(seen[:50]).mean.mean() > 0.8, "a policy that improved is soon seen as it is"


def test_its_state_is_the_same_after_json() -> None:
    rng, predictor, again = np.random.default_rng(3), Predictor(), Predictor()
    seen, terms = prompts(rng, 100)
    predictor.learn(seen, *outcomes(rng, expit(4 - 0.6 * terms)))
    again.load_state_dict(json.loads(json.dumps(predictor.state_dict())))
    for one in (predictor, again):
        one.fade(0.9)
        one.learn(seen[:10], np.zeros(10), np.full(10, 4.0))
    assert (predictor(seen).mean == again(seen).mean).all()
    assert (predictor(seen).sd == again(seen).sd).all()


def test_a_copy_goes_its_own_way() -> None:
    rng, predictor = np.random.default_rng(4), Predictor()
    seen, _ = prompts(rng, 50)
    other = predictor.copy()
    other.learn(seen, np.full(50, 8.0), np.full(50, 8.0))
    assert predictor(seen).mean == pytest.approx([0.5] * 50)
    assert (other(seen).mean > 0.8).all()


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.text(max_size=60), st.integers(0, 8), st.integers(0, 8)), min_size=1, max_size=12)
)
def test_rates_are_rates_whatever_came(rows: list[tuple[str, int, int]]) -> None:
    """Any texts, extreme outcomes and prompts without samples; order does not matter."""
    seen = read([(Message("user", text),) for text, _, _ in rows])
    passes = np.array([float(min(k, n)) for _, k, n in rows])
    samples = np.array([float(n) for _, _, n in rows])
    predictor, turned = Predictor(), Predictor()
    predictor.learn(seen, passes, samples)
    turned.learn(seen[::-1], passes[::-1], samples[::-1])
    told = predictor(seen)
    assert ((told.mean > 0) & (told.mean < 1)).all()
    assert ((told.sd > 0) & (told.sd <= 0.5)).all()
    assert turned(seen).mean == pytest.approx(told.mean, abs=1e-6)


def test_more_passes_are_a_higher_rate() -> None:
    seen = read([(Message("user", "1+1="),)])
    rates = []
    for passes in range(9):
        predictor = Predictor()
        predictor.learn(seen, np.array([float(passes)]), np.array([8.0]))
        rates.append(float(predictor(seen).mean[0]))
    assert rates == sorted(rates)
    assert rates[4] == pytest.approx(0.5)


def test_features_are_numbers_of_any_text() -> None:
    for text in ("", "\n", "😀" * 1000, "\\frac{1}{2}", "\ud800"):
        assert np.isfinite(features(text)).all()
        assert len(features(text)) == WIDTH - 1
