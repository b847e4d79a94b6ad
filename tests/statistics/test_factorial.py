"""Main effects and interaction of a 2 x 2 over paired seeds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.statistics import two_by_two

score = st.floats(0, 1)
rows = st.lists(st.tuples(score, score, score, score), min_size=2, max_size=8)


@given(st.lists(st.tuples(score, st.floats(-1, 1), st.floats(-1, 1)), min_size=2, max_size=8))
def test_factors_that_add_have_no_interaction(seeds: list[tuple[float, float, float]]) -> None:
    arms = zip(*[(base, base + a, base + b, base + a + b) for base, a, b in seeds], strict=True)
    made = two_by_two(*arms)
    assert made.interaction.values == pytest.approx([0] * len(seeds), abs=1e-12)
    assert made.first.values == pytest.approx([a for _, a, _ in seeds])
    assert made.second.values == pytest.approx([b for _, _, b in seeds])


@given(rows)
def test_exchanging_the_factors_exchanges_their_effects(
    seeds: list[tuple[float, float, float, float]],
) -> None:
    neither, first, second, both = zip(*seeds, strict=True)
    one, other = two_by_two(neither, first, second, both), two_by_two(neither, second, first, both)
    assert one.first.values == pytest.approx(other.second.values)
    assert one.interaction.values == pytest.approx(other.interaction.values)


@given(rows, st.lists(score, min_size=8, max_size=8))
def test_what_a_seed_does_to_all_arms_alike_cancels(
    seeds: list[tuple[float, float, float, float]], shift: list[float]
) -> None:
    moved = [tuple(y + d for y in row) for row, d in zip(seeds, shift, strict=False)]
    one, other = two_by_two(*zip(*seeds, strict=True)), two_by_two(*zip(*moved, strict=True))
    for name in ("first", "second", "interaction"):
        assert getattr(one, name).values == pytest.approx(getattr(other, name).values, abs=1e-9)


def test_an_effect_that_needs_both_factors_is_an_interaction() -> None:
    made = two_by_two([0.5, 0.6], [0.5, 0.6], [0.5, 0.6], [0.7, 0.8])
    assert (made.first.mean, made.second.mean, made.interaction.mean) == pytest.approx((0.1, 0.1, 0.2))
    assert made.first.interval is not None
    assert made.first.interval.half == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("arms", [([], [], [], []), ([1.0], [1.0], [1.0], [])])
def test_arms_without_the_same_seeds_are_refused(arms: tuple[list[float], ...]) -> None:
    with pytest.raises(ValueError, match="same seeds"):
        two_by_two(*arms)
