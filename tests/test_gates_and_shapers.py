"""Gate `mixed-outcomes` and shaper `length-penalty`."""

from __future__ import annotations

import itertools
from dataclasses import replace

from harness_curricula.length_penalty import LengthPenalty
from harness_curricula.mixed_outcomes import MixedOutcomes
from harness_curricula.options import LengthPenaltyOptions, MixedOutcomesOptions
from hypothesis import given
from hypothesis import strategies as st

from harness.records import Difficulty, Group, PolicyRef


def group(rewards: list[float | None], lengths: list[int]) -> Group:
    return Group(
        task="t", subject="s", step=0, rollouts=None,
        statuses=tuple("infra_error" if r is None else "pass" if r == 1 else "fail" for r in rewards),
        scores=tuple(rewards), rewards=tuple(rewards), lengths=tuple(lengths),
        truncated=(False,) * len(rewards),
    )  # fmt: skip


def label(samples: int, passes: int) -> Difficulty:
    return Difficulty(
        subject="s", model="policy", policy=PolicyRef(weights_sha="0"), samples=samples, passes=passes
    )


def test_mixed_outcomes_keeps_what_has_a_gradient() -> None:
    gate = MixedOutcomes(MixedOutcomesOptions(max_refills=3))
    assert gate.max_refills == 3
    assert gate.keep(group([1, 0, 0], [1, 1, 1]))
    assert not gate.keep(group([1, 1, 1], [1, 1, 1]))
    assert not gate.keep(group([0, 0, None], [1, 1, 1]))
    assert not gate.keep(group([None, None], [1, 1]))


def test_length_costs_right_answers_more_where_the_task_is_easy() -> None:
    shaper = LengthPenalty(LengthPenaltyOptions(strength=0.4))
    both = group([1, 1, 0, None], [10, 30, 50, 60])
    easy, hard = shaper.rewards(both, label(98, 98)), shaper.rewards(both, label(98, 0))
    assert easy[0] == hard[0] == 1
    assert easy[1] == 1 - 0.4 * 0.99
    assert hard[1] == 1 - 0.4 * 0.01
    assert list(easy[2:]) == list(hard[2:]) == [0, None]


@given(
    outcomes=st.lists(st.tuples(st.sampled_from([0.0, 1.0, None]), st.integers(1, 999)), min_size=1),
    strength=st.floats(0, 0.99),
    samples=st.one_of(st.none(), st.integers(0, 50)),
)
def test_a_right_answer_always_beats_a_wrong_one_and_shorter_never_earns_less(
    outcomes: list[tuple[float | None, int]], strength: float, samples: int | None
) -> None:
    seen = group([r for r, _ in outcomes], [n for _, n in outcomes])
    known = None if samples is None else label(samples, samples)
    shaped = LengthPenalty(LengthPenaltyOptions(strength=strength)).rewards(seen, known)
    right = sorted((n, r) for (o, n), r in zip(outcomes, shaped, strict=True) if o == 1 and r is not None)
    assert all(r > 0 for _, r in right)
    assert all(a[1] >= b[1] for a, b in itertools.pairwise(right) if a[0] < b[0])
    assert [r for (o, _), r in zip(outcomes, shaped, strict=True) if o != 1] == [
        o for o, _ in outcomes if o != 1
    ]
    assert (
        LengthPenalty(LengthPenaltyOptions()).advantages(replace(seen, advantages=(0.5,) * seen.size), known)
        == (0.5,) * seen.size
    )
