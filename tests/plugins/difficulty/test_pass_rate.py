"""Estimator `pass-rate`: how many rollouts a label costs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from harness_difficulty.options import PassRateOptions
from harness_difficulty.pass_rate import PassRate
from hypothesis import given
from hypothesis import strategies as st

from harness.contract.errors import RecipeError
from harness.contract.records import Difficulty, PolicyRef
from harness.plugging.plugins import load

POLICY = PolicyRef(weights_sha="0")


def outcome(subject: str, samples: int, passes: int, lost: int = 0) -> Difficulty:
    return Difficulty(
        subject=subject, model="policy", policy=POLICY, samples=samples, passes=passes, excluded_infra=lost
    )


def measure(estimator: PassRate, rates: dict[str, float], seed: int = 0) -> dict[str, Difficulty]:
    """Sample until the estimator asks for no more."""
    rng = np.random.default_rng(seed)
    outcomes: dict[str, Difficulty] = {}
    while wanted := estimator.requests(outcomes, list(rates)):
        for subject, count in wanted.items():
            old = outcomes.get(subject, outcome(subject, 0, 0))
            passes = old.passes + int(rng.binomial(count, rates[subject]))
            outcomes[subject] = replace(old, samples=old.samples + count, passes=passes)
    return outcomes


def test_fixed_mode_spends_the_same_on_every_subject() -> None:
    estimator = PassRate(PassRateOptions(tasks=16, samples=4, sequential=False))
    assert estimator.requests({}, ["a", "b"]) == {"a": 64, "b": 64}
    assert estimator.requests({"a": outcome("a", 64, 0), "b": outcome("b", 60, 9)}, ["a", "b"]) == {"b": 4}


def test_sequential_mode_stops_where_the_posterior_has_decided() -> None:
    rates = {"easy": 1.0, "dead": 0.0, "half": 0.5, "edge": 0.9}
    estimator = PassRate(PassRateOptions(tasks=32, samples=4, low=0.05, high=0.9, confidence=0.9))
    runs = [measure(estimator, rates, seed) for seed in range(20)]
    spent = {name: sum(run[name].samples for run in runs) / len(runs) for name in rates}
    assert spent["half"] == spent["easy"] == 32
    assert spent["dead"] == 64, "Beta(1, n + 1) puts 0.9 below 0.05 from 44 samples on"
    assert spent["edge"] > 64, "near the window's border it takes longest"


def test_by_default_a_diluted_pool_costs_half_and_decides_nearly_as_well() -> None:
    rates = {f"dead-{i}": 0.0 for i in range(30)} | {f"easy-{i}": 0.95 for i in range(7)}
    rates |= {"half": 0.4, "hard": 0.1, "sure": 1.0}

    def run(sequential: bool) -> tuple[float, float]:
        estimator = PassRate(PassRateOptions(tasks=16, samples=4, sequential=sequential))
        cost = wrong = 0
        for seed in range(20):
            for name, label in measure(estimator, rates, seed).items():
                cost += label.samples
                wrong += (0.05 <= label.pass_rate <= 0.9) != (0.05 <= rates[name] <= 0.9)
        return cost / 20, wrong / 20

    (few, wrong_few), (all_, wrong_all) = run(True), run(False)
    assert all_ == 40 * 64
    assert few < 0.55 * all_
    assert wrong_few <= wrong_all + 0.5, "of 40 strata"


@given(
    samples=st.integers(0, 200),
    share=st.floats(0, 1),
    tasks=st.integers(1, 32),
    each=st.integers(1, 16),
    sequential=st.booleans(),
)
def test_never_more_than_the_most_and_always_an_end(
    samples: int, share: float, tasks: int, each: int, sequential: bool
) -> None:
    estimator = PassRate(PassRateOptions(tasks=tasks, samples=each, sequential=sequential))
    asked = estimator.requests({"s": outcome("s", samples, int(share * samples))}, ["s"]).get("s", 0)
    assert asked >= 0
    assert samples + asked <= max(samples, tasks * each)
    total = measure(estimator, {"s": share})["s"].samples
    assert 0 < total <= tasks * each


def test_a_lost_rollout_is_drawn_again_but_not_for_ever() -> None:
    estimator = PassRate(PassRateOptions(tasks=4, samples=4, sequential=False))
    assert estimator.requests({"s": outcome("s", 14, 3, lost=2)}, ["s"]) == {"s": 2}
    assert estimator.requests({"s": outcome("s", 0, 0, lost=32)}, ["s"]) == {}


def test_rounds_are_whole_tasks() -> None:
    estimator = PassRate(PassRateOptions(tasks=16, samples=4))
    assert estimator.requests({}, ["s"]) == {"s": 16}
    assert estimator.split(16, endless=True) == [4, 4, 4, 4]


@given(count=st.integers(0, 100), samples=st.integers(1, 9))
def test_split_spreads_over_fresh_tasks_of_endless_sources_only(count: int, samples: int) -> None:
    estimator = PassRate(PassRateOptions(samples=samples))
    parts = estimator.split(count, endless=True)
    assert sum(parts) == count
    assert all(part == samples for part in parts[:-1])
    assert sum(estimator.split(count, endless=False)) == count
    assert len(estimator.split(count, endless=False)) <= 1


def test_window_probability_is_that_of_the_beta_posterior() -> None:
    estimator = PassRate(PassRateOptions(low=0.2, high=0.7))
    (inside,) = estimator.window_probability(np.array([9]), np.array([4]))
    draws = np.random.default_rng(0).beta(5, 6, 200_000)
    assert inside == pytest.approx(((draws >= 0.2) & (draws <= 0.7)).mean(), abs=0.005)


def test_a_window_upside_down_is_refused_where_the_recipe_says_it() -> None:
    registration = load().registry.find("difficulty_estimators", "pass-rate")
    with pytest.raises(RecipeError, match=r"difficulty\.estimator.*low = 0\.9 must lie below high = 0\.1"):
        registration.validate({"low": 0.9, "high": 0.1}, field_path="difficulty.estimator")
