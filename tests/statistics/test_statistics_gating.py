"""The gate: three answers, and how many samples would do."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.statistics.gating import gate


def counted(rates: list[float], samples: int, seed: int = 0) -> dict[str, tuple[float, float]]:
    rng = np.random.default_rng(seed)
    return {f"p{i}": (float(rng.binomial(samples, rate)), float(samples)) for i, rate in enumerate(rates)}


def fixed(rate: float, samples: int, problems: int = 50) -> dict[str, tuple[float, float]]:
    return {f"p{i}": (rate * samples, float(samples)) for i in range(problems)}


def test_there_are_three_answers() -> None:
    assert gate(fixed(0.5, 64), fixed(0.5, 64), 0.05).answer == "not worse"
    assert gate(fixed(0.5, 64), fixed(0.25, 64), 0.05).answer == "worse"
    verdict = gate(fixed(0.5, 4), fixed(0.5, 4), 0.02)
    assert verdict.answer == "not enough samples"
    assert verdict.needed is not None
    assert verdict.needed > 4


def test_a_loss_within_the_margin_is_let_through_and_a_gain_always() -> None:
    assert gate(fixed(0.5, 1000), fixed(0.49, 1000), 0.02).answer == "not worse"
    assert gate(fixed(0.5, 1000), fixed(0.49, 1000), 0.0).answer == "worse"
    assert gate(fixed(0.25, 64), fixed(0.75, 64), 0.0).answer == "not worse"


def test_as_many_samples_as_are_advised_decide_four_times_in_five() -> None:
    rng = np.random.default_rng(1)
    rates = list(rng.uniform(0.1, 0.9, 40))
    first = gate(fixed(0.5, 4, 40), fixed(0.5, 4, 40), 0.04)
    assert first.needed is not None
    decided = [
        gate(counted(rates, first.needed, 2 * i), counted(rates, first.needed, 2 * i + 1), 0.04).answer
        for i in range(200)
    ]
    share = decided.count("not worse") / 200
    # The rates here spread, so that their variance is a bit smaller than that of 0.5 throughout.
    assert 0.75 <= share <= 0.97
    assert decided.count("worse") == 0


def test_false_alarms_are_rare() -> None:
    """B is as much worse as the margin allows: each wrong answer comes in about 1 of 40."""
    a, b = [0.5] * 40, [0.45] * 40
    answers = [gate(counted(a, 16, 2 * i), counted(b, 16, 2 * i + 1), 0.05).answer for i in range(400)]
    assert answers.count("worse") / 400 < 0.06
    assert answers.count("not worse") / 400 < 0.06


def test_a_difference_at_the_margin_cannot_be_told() -> None:
    assert gate(fixed(0.5, 100), fixed(0.45, 100), 0.05).needed is None


@pytest.mark.parametrize("margin", [-0.1, 1.0])
def test_a_margin_is_a_share(margin: float) -> None:
    with pytest.raises(ValueError, match="margin"):
        gate(fixed(0.5, 4), fixed(0.5, 4), margin)
    with pytest.raises(ValueError, match="no problem is in both"):
        gate({"a": (1, 1)}, {"b": (1, 1)}, 0.1)


@given(st.integers(2, 64), st.integers(0, 10), st.integers(0, 10), st.floats(0, 0.5))
def test_more_margin_never_turns_not_worse_around(samples: int, x: int, y: int, margin: float) -> None:
    a, b = ({f"p{i}": (float(min(c, samples)), float(samples)) for i in range(5)} for c in (x, y))
    if gate(a, b, margin).answer == "not worse":
        assert gate(a, b, min(margin + 0.1, 0.99)).answer == "not worse"
    if gate(a, b, margin).answer == "worse":
        assert gate(a, b, margin / 2).answer == "worse"
