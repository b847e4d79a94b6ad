"""How many samples each rule gives to which task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from harness_allocation import hora, knapsack
from harness_allocation.dars import Dars, further
from harness_allocation.hora import Hora
from harness_allocation.knapsack import Knapsack
from harness_allocation.learnability_pilot import LearnabilityPilot
from harness_allocation.options import (
    DarsOptions,
    HoraOptions,
    KnapsackOptions,
    LearnabilityPilotOptions,
    PilotCommitOptions,
    ReinforceAdaOptions,
    SpeedOptions,
)
from harness_allocation.pilot_commit import PilotCommit
from harness_allocation.reinforce_ada import ReinforceAda
from harness_allocation.sharing_out import shared_out
from harness_allocation.speed import Speed
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy.special import betaln

from harness.contract import Ask, Group, TrainingError
from harness.testing import MemoryPool, group_of
from tests.support.curricula import context

POOL = {f"s{i:02d}": 1 - i / 19 for i in range(20)}


def sizes(chosen: Sequence[Any], plain: int = 8) -> list[int]:
    return [item.n if isinstance(item, Ask) else plain for item in chosen]


def answered(curriculum: Any, passes: Sequence[int], *, pool: Mapping[str, float] = POOL) -> list[Group]:
    """The first groups of a step, with so many passes each."""
    chosen = curriculum.next(len(passes), context(MemoryPool(pool), 1))
    made = []
    for item, right, size in zip(chosen, passes, sizes(chosen), strict=True):
        task = item.task if isinstance(item, Ask) else item
        made.append(replace(group_of(task.subject, right, size), task=task.id))
    for group in made:
        curriculum.observe(group)
    return made


def more(curriculum: Any, groups: Sequence[Group], n: int = 8) -> list[int]:
    """Further samples by group, in a stage with `rollout.n` of n."""
    place = replace(context(MemoryPool(POOL), 1, 2), group_size=n)
    asks = {a.task.id: a.n for a in curriculum.more(groups, place)}
    return [asks.get(group.task, 0) for group in groups]


def extended(group: Group, passes: int, size: int) -> Group:
    """The group with further samples."""
    later = group_of(group.subject, passes, size)
    return replace(group, samples=group.samples + later.samples, known=group.size)


def test_speed_goes_on_only_where_a_pilot_is_mixed_and_once() -> None:
    curriculum = Speed(SpeedOptions(pilot=4, rest=12))
    groups = answered(curriculum, [0, 1, 3, 4])
    assert sizes([Ask(None, g.size) for g in groups]) == [4] * 4  # type: ignore[arg-type]
    assert more(curriculum, groups) == [0, 12, 12, 0]
    assert more(curriculum, [groups[0], extended(groups[1], 0, 12), extended(groups[2], 6, 12)]) == [0, 0, 0]


def test_pilot_commit_takes_the_window_with_the_greatest_variance_first() -> None:
    groups = answered(PilotCommit(PilotCommitOptions()), [0, 1, 2, 3, 4])
    assert more(_same_step(PilotCommit(PilotCommitOptions())), groups) == [0, 4, 4, 4, 0]
    assert more(_same_step(PilotCommit(PilotCommitOptions(most=1))), groups) == [0, 0, 4, 0, 0]


def _same_step(curriculum: PilotCommit) -> PilotCommit:
    """A curriculum that has drawn the same tasks."""
    curriculum.next(5, context(MemoryPool(POOL), 1))
    return curriculum


def test_pilot_commit_leaves_out_what_always_passes() -> None:
    curriculum = PilotCommit(PilotCommitOptions(exclude_after=2))
    for _ in range(2):
        curriculum.observe(of_a_task("s00", 4, 4))
    for passes in (4, 3, 4):
        curriculum.observe(of_a_task("s01", passes, 4))
    assert drawn_by(curriculum, MemoryPool(POOL, endless=False)) == set(POOL) - {"s00"}


def of_a_task(name: str, passes: int, size: int, lost: int = 0) -> Group:
    """A group of a finite source's task, which is its own subject."""
    return replace(group_of(name, passes, size, lost=lost), task=name)


def drawn_by(curriculum: PilotCommit, pool: MemoryPool, steps: int = 20, k: int = 8) -> set[str]:
    return {ask.task.subject for step in range(1, steps) for ask in curriculum.next(k, context(pool, step))}


def test_pilot_commit_leaves_a_task_out_only_for_a_full_pilot_that_was_judged() -> None:
    curriculum = PilotCommit(PilotCommitOptions(pilot=4, exclude_after=1))
    curriculum.observe(of_a_task("s00", 1, 4, lost=3))
    curriculum.observe(of_a_task("s01", 2, 2))
    curriculum.observe(of_a_task("s02", 4, 4))
    assert drawn_by(curriculum, MemoryPool(POOL, endless=False)) == set(POOL) - {"s02"}


def test_pilot_commit_never_leaves_out_a_stratum() -> None:
    curriculum = PilotCommit(PilotCommitOptions(exclude_after=1))
    for _ in range(3):
        curriculum.observe(group_of("s00", 4, 4))
    assert drawn_by(curriculum, MemoryPool(POOL)) == set(POOL), "its next task is another one"


def test_pilot_commit_fills_a_step_with_mastered_tasks_if_the_others_do_not_suffice() -> None:
    curriculum = PilotCommit(PilotCommitOptions(exclude_after=1))
    mastered = list(POOL)[3:]
    for name in mastered:
        curriculum.observe(of_a_task(name, 4, 4))
    pool = MemoryPool(POOL, endless=False)
    for step in (1, 2, 3):
        drawn = [ask.task.subject for ask in curriculum.next(8, context(pool, step))]
        assert len(drawn) == 8
        assert set(drawn[:3]) == set(POOL) - set(mastered)


def test_reinforce_ada_asks_until_it_has_enough_or_its_rounds_are_used_up() -> None:
    curriculum = ReinforceAda(ReinforceAdaOptions(round=4, rounds=3, group_size=4))
    groups = answered(curriculum, [2, 4, 0])
    assert more(curriculum, groups) == [0, 4, 4]
    later = [groups[0], extended(groups[1], 2, 4), extended(groups[2], 0, 4)]
    assert more(curriculum, later) == [0, 0, 4]
    assert more(curriculum, [*later[:2], extended(later[2], 0, 4)]) == [0, 0, 0]
    positive = ReinforceAda(ReinforceAdaOptions(until="positive"))
    assert more(positive, answered(positive, [0, 1])) == [4, 0]


def test_dars_reaches_the_cumulative_advantage_of_its_formula() -> None:
    assert further(1, 8, DarsOptions()) == 11  # S = 2/8 * 7/8, (4 - 1.75) / .21875 = 10.3
    assert further(0, 8, DarsOptions(most=99)) == 27  # p = .5/8: S = .1171875, (4 - .9375) / S = 26.1
    assert further(0, 8, DarsOptions(schedule="hardness", most=99)) == 56
    assert further(4, 8, DarsOptions()) == further(8, 8, DarsOptions()) == further(0, 0, DarsOptions()) == 0


@given(st.integers(1, 63), st.integers(2, 64))
def test_dars_never_gives_a_sample_too_many(passes: int, size: int) -> None:
    if passes >= size:
        return
    n = further(passes, size, DarsOptions(most=10_000, below=1.0))
    gain = 2 * passes / size * (1 - passes / size)
    assert (size + n) * gain >= size / 2 - 1e-6
    assert n == 0 or (size + n - 1) * gain < size / 2 + 1e-6


def test_dars_gives_more_once_and_to_hard_tasks_alone() -> None:
    curriculum = Dars(DarsOptions())
    groups = answered(curriculum, [1, 4, 8])
    assert more(curriculum, groups) == [11, 0, 0]
    assert more(curriculum, [extended(groups[0], 0, 11), *groups[1:]]) == [0, 0, 0]


rates = st.lists(st.integers(0, 8).map(lambda k: k / 8), min_size=1, max_size=4)


@settings(max_examples=40, deadline=None)
@given(rates, st.integers(0, 12))
def test_sharing_out_is_as_good_as_any_other_way(p: list[float], budget: int) -> None:
    table = knapsack.gains(np.array(p), 2, 8)
    chosen = shared_out(table, budget)
    assert (chosen <= 6).all()
    assert chosen.sum() <= budget
    worth = sum(table[i, :n].sum() for i, n in enumerate(chosen))
    everything = np.stack(np.meshgrid(*[np.arange(7)] * len(p), indexing="ij"), -1).reshape(-1, len(p))
    allowed = everything[everything.sum(axis=1) <= budget]
    totals = np.concatenate([np.zeros((len(p), 1)), table.cumsum(axis=1)], axis=1)
    best = max(sum(totals[i, n] for i, n in enumerate(row)) for row in allowed)
    assert worth == pytest.approx(best)


def test_knapsack_s_gains_add_up_to_the_paper_s_value() -> None:
    p = np.array([0.1, 0.5, 0.9])
    total = knapsack.gains(p, 0, 16).sum(axis=1)
    # Without any sample the formula's value is -p (1-p)^2: a group of none is not mixed.
    assert total == pytest.approx((1 - p**16 - (1 - p) ** 16 + 1) * p * (1 - p) ** 2)


def test_knapsack_gives_hard_tasks_more_than_easy_ones_and_keeps_the_mean() -> None:
    curriculum = Knapsack(KnapsackOptions(least=2, most=32))
    made = curriculum.sizes(np.array([[1.0, 7.0], [4.0, 4.0], [8.0, 0.0], [0.0, 0.0]]), 8)
    assert made[0] > made[1] > made[2] == 2
    assert made[3] == 8, "never tried"
    assert made.sum() == 4 * 8


def test_knapsack_gives_what_nobody_gains_from_to_tasks_that_never_pass() -> None:
    made = Knapsack(KnapsackOptions()).sizes(np.array([[8.0, 0.0], [0.0, 8.0], [0.0, 8.0]]), 8)
    assert made.tolist() == [2, 11, 11]


@given(st.integers(0, 12), st.integers(1, 12), st.integers(1, 20))
def test_hora_s_gains_add_up_to_the_posterior_chance_of_a_pass(passes: int, size: int, m: int) -> None:
    if passes > size:
        return
    a, b = passes + 1, size - passes + 1
    table = hora.gains(np.array([passes]), np.array([size]), m)
    assert table.sum() == pytest.approx(1 - np.exp(betaln(a, b + m) - betaln(a, b)))
    assert (np.diff(table[0]) <= 1e-12).all(), "concave"


def test_hora_gives_hard_tasks_more_and_spends_the_rest_once() -> None:
    curriculum = Hora(HoraOptions(pilot=4))
    groups = answered(curriculum, [0, 1, 4])
    given_ = more(curriculum, groups)
    assert sum(given_) == 3 * 4
    assert given_[0] >= given_[1] > given_[2] > 0
    assert more(curriculum, [extended(groups[0], 0, given_[0]), *groups[1:]]) == [0, 0, 0]


def test_learnability_pilot_pays_less_where_nothing_is_to_be_learned() -> None:
    curriculum = LearnabilityPilot(LearnabilityPilotOptions(decay=1.0, floor=1.0))
    pool = MemoryPool({"hopeless": 0.0, "frontier": 0.5, "mastered": 1.0, "new": 0.0})
    curriculum.next(1, context(pool, 1))
    for subject, passes in (("hopeless", 0), ("frontier", 4), ("mastered", 8)):
        for _ in range(20):
            curriculum.observe(group_of(subject, passes))
    asked = {ask.task.subject: ask.n for ask in curriculum.next(60, context(pool, 2))}
    assert asked == {"hopeless": 3, "frontier": 8, "mastered": 3, "new": 8}


def test_groups_are_as_large_as_the_stage_s_unless_their_options_say_otherwise() -> None:
    def asked(curriculum: Any, n: int) -> list[int]:
        return sizes(curriculum.next(4, replace(context(MemoryPool(POOL), 1), group_size=n)))

    for n in (8, 16):
        assert asked(Knapsack(KnapsackOptions()), n) == [n] * 4, "never tried"
        assert asked(LearnabilityPilot(LearnabilityPilotOptions()), n) == [n] * 4
        commit, hoped, ada = (
            PilotCommit(PilotCommitOptions()),
            Hora(HoraOptions()),
            ReinforceAda(ReinforceAdaOptions()),
        )
        assert more(commit, answered(commit, [2]), n) == [n - 4]
        assert sum(more(hoped, answered(hoped, [2, 2]), n)) == 2 * (n - 4)
        (pilot,) = answered(ada, [4])
        assert more(ada, [extended(pilot, 0, 4)], n) == [0 if n == 8 else 4]
    told = PilotCommit(PilotCommitOptions(group_size=12))
    assert more(told, answered(told, [2]), 16) == [8]


@pytest.mark.parametrize(
    "curriculum",
    [
        PilotCommit(PilotCommitOptions(pilot=4)),
        LearnabilityPilot(LearnabilityPilotOptions(pilot=4)),
        Hora(HoraOptions(pilot=5)),
        Knapsack(KnapsackOptions(least=5)),
    ],
    ids=lambda curriculum: type(curriculum).__name__,
)
def test_a_stage_s_group_size_that_does_not_go_with_the_options_is_refused(curriculum: Any) -> None:
    with pytest.raises(TrainingError, match=r"group size,? 4[\s\S]*rollout\.n"):
        curriculum.next(4, replace(context(MemoryPool(POOL), 1), group_size=4))
    with pytest.raises(ValidationError, match=r"group size,? 4"):
        type(curriculum.options)(**curriculum.options.model_dump(exclude_unset=True), group_size=4)


def test_learnability_pilot_completes_a_pilot_that_is_mixed() -> None:
    curriculum = LearnabilityPilot(LearnabilityPilotOptions(hopeless=1.0, mastered=1.0))
    assert more(curriculum, answered(curriculum, [0, 1, 3])) == [0, 5, 0]
