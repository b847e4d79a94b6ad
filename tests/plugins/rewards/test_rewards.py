"""Rewards: reductions of evidence to a number, which refuse evidence that is not complete enough."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.contract.errors import RecipeError, TrainingError
from harness.contract.protocols import Reward
from harness.contract.records import Span, Status, Verdict
from harness.plugging.plugins import load
from tests.support.live_session import context


def reward(name: str, **options: Any) -> Reward:
    made: Reward = load().registry.find("rewards", name).build(options, context(Path()))
    return made


def verdict(status: Status, score: float, *steps: float, complete: bool = True) -> Verdict:
    spans = tuple(Span(i, i + 1, step) for i, step in enumerate(steps))
    return Verdict(
        status=status, score=score, verifier="code", verifier_hash="x", spans=spans, complete=complete
    )


def test_all_pass_is_all_or_nothing() -> None:
    assert reward("all_pass")(verdict("pass", 1.0)) == 1.0
    assert reward("all_pass")(verdict("partial", 0.9)) == 0.0


def test_the_fraction_of_a_verdict_that_stopped_early_is_refused() -> None:
    stopped = verdict("fail", 0.5, complete=False)
    assert reward("all_pass")(stopped) == 0.0
    with pytest.raises(TrainingError, match="needs all tests run"):
        reward("fraction")(stopped)
    assert reward("fraction")(verdict("fail", 0.5)) == 0.5


def test_gated_raises_a_right_outcome_by_its_right_steps() -> None:
    assert reward("gated", weight=0.5)(verdict("pass", 1.0, 1.0, 0.0)) == 1.25
    assert reward("gated", weight=0.5)(verdict("pass", 1.0)) == 1.0
    assert reward("gated", weight=1.0, right=0.5)(verdict("pass", 1.0, 0.6, 0.4)) == 1.5
    assert reward("gated", outcome="fraction")(verdict("partial", 0.5, 1.0)) == 0.75


@given(steps=st.lists(st.floats(0, 1)), score=st.floats(0, 1))
def test_right_steps_of_a_wrong_answer_earn_nothing(steps: list[float], score: float) -> None:
    assert reward("gated", weight=9.0)(verdict("fail", score, *steps)) == 0.0


@given(steps=st.lists(st.floats(0, 1)), weight=st.floats(0, 10))
def test_gated_stays_between_the_outcome_and_its_bound(steps: list[float], weight: float) -> None:
    value = reward("gated", weight=weight)(verdict("pass", 1.0, *steps))
    assert value is not None
    assert 1.0 <= value <= 1 + weight


def test_a_name_that_nobody_offers_is_refused_with_the_near_one() -> None:
    with pytest.raises(RecipeError.__mro__[1], match="did you mean 'fraction'"):
        reward("fractoin")
