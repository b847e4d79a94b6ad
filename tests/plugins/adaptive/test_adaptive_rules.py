"""What each adaptive curriculum's rule says, by what it draws."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from math import tanh
from typing import Any

import numpy as np
import pytest
from harness_adaptive.adarft import AdaRft
from harness_adaptive.dump import Dump
from harness_adaptive.e2h import E2hCosine, E2hGaussian
from harness_adaptive.greso import Greso
from harness_adaptive.mopps import Mopps
from harness_adaptive.options import (
    AdaRftOptions,
    DumpOptions,
    E2hGaussianOptions,
    E2hOptions,
    GresoOptions,
    MoppsOptions,
    PromptReplayOptions,
    SecOptions,
    VcrlOptions,
)
from harness_adaptive.prompt_replay import PromptReplay
from harness_adaptive.sec import Sec
from harness_adaptive.vcrl import Vcrl, variance
from harness_curricula.learnability import Learnability
from harness_curricula.options import LearnabilityOptions
from hypothesis import given
from hypothesis import strategies as st

from harness.contract import TrainingError
from harness.testing import MemoryPool, group_of
from tests.support.curricula import advantaged, context, played, subjects, tasks_of

#: Easy to hard.
RATES = {f"s{i:02d}": round(1 - i / 19, 3) for i in range(20)}
#: One subject that is solved half of the time among hopeless and mastered ones.
FRONTIER = {f"s{i:02d}": 1.0 if i < 10 else 0.0 for i in range(20)} | {"s10": 0.5}


# AdaRFT -------------------------------------------------------------------------------------------


def test_adarft_moves_its_target_by_the_paper_s_formula() -> None:
    curriculum, pool = AdaRft(AdaRftOptions()), MemoryPool(RATES)
    assert subjects(curriculum, pool, 1, 4) == ["s00"] * 4, "the easiest stratum is nearest to 0"
    for passes in (8, 4):
        curriculum.observe(group_of("s00", passes))
    subjects(curriculum, pool, 2, 1)
    assert curriculum.target == pytest.approx(50 * tanh(2 * (0.75 - 0.5)))


def test_adarft_takes_the_nearest_tasks_of_a_finite_set_each_once() -> None:
    curriculum = AdaRft(AdaRftOptions(start=50))
    chosen = subjects(curriculum, MemoryPool(RATES, endless=False), 1, 6)
    assert set(chosen) == {"s07", "s08", "s09", "s10", "s11", "s12"}


def test_adarft_refuses_a_pool_without_any_label_of_its_model() -> None:
    curriculum = AdaRft(AdaRftOptions(model="reference"))
    with pytest.raises(TrainingError, match="none of 20 subjects has a label of 'reference'"):
        subjects(curriculum, MemoryPool(RATES), 1, 4)


def test_adarft_s_target_stays_within_its_bounds() -> None:
    curriculum, pool = AdaRft(AdaRftOptions(low=10, high=60, start=50)), MemoryPool(RATES)
    for step in range(1, 8):
        subjects(curriculum, pool, step, 1)
        curriculum.observe(group_of("s00", 8))
    assert curriculum.target == 60


# SEC and DUMP -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "make", [lambda: Sec(SecOptions()), lambda: Dump(DumpOptions())], ids=["sec", "dump"]
)
def test_bandits_go_where_advantages_are_large(make: Any) -> None:
    drawn = played(make(), MemoryPool(FRONTIER), 60, 8, FRONTIER)
    late = Counter(drawn[-240:])
    assert late["s10"] / 240 > 0.2, "an even share would be .05"
    assert late.most_common(1)[0][0] == "s10"


def test_sec_s_value_follows_the_absolute_advantage() -> None:
    curriculum, pool = Sec(SecOptions(rate=0.5)), MemoryPool({"a": 0.5, "b": 0.5})
    subjects(curriculum, pool, 1, 2)
    curriculum.observe(advantaged("a", 4))  # |A| = .5 for each sample
    curriculum.observe(advantaged("a", 8))  # and 0
    subjects(curriculum, pool, 2, 2)
    assert curriculum.state_dict()["values"] == {"a": [pytest.approx(0.5 * 0.25)]}


def test_dump_tries_what_it_has_seen_least() -> None:
    curriculum, pool = Dump(DumpOptions()), MemoryPool({"a": 0.0, "b": 0.0})
    subjects(curriculum, pool, 1, 2)
    for _ in range(50):
        curriculum.observe(advantaged("a", 0))
    assert Counter(subjects(curriculum, pool, 2, 100))["b"] > 95


def test_arms_may_be_levels_of_many_tasks() -> None:
    rates = {f"t{i:03d}": 0.5 if 100 <= i < 150 else 0.0 for i in range(200)}
    pool = MemoryPool({name: 1 - i / 199 for i, name in enumerate(rates)}, endless=False)
    drawn = played(Sec(SecOptions(levels=4, temperature=0.05)), pool, 40, 8, rates)
    late = [100 <= int(name[1:]) < 150 for name in drawn[-160:]]
    assert np.mean(late) > 0.6, "a quarter of the tasks is in the level that teaches"


# E2H ----------------------------------------------------------------------------------------------


@given(st.integers(1, 30), st.floats(0, 1))
def test_e2h_cosine_has_the_paper_s_floor_and_turns_round(count: int, progress: float) -> None:
    curriculum = E2hCosine(E2hOptions())
    weights = curriculum.weights(count, progress)
    assert (weights / weights.sum()).min() >= 2 / (count * (count + 1)) - 1e-12
    assert curriculum.weights(count, 1 - progress)[::-1] == pytest.approx(weights)


def test_e2h_begins_easy_and_ends_hard() -> None:
    for curriculum in (
        E2hCosine(E2hOptions(steps=20)),
        E2hGaussian(E2hGaussianOptions(steps=20, width=0.3)),
    ):
        pool = MemoryPool(RATES)
        by_step = [subjects(curriculum, pool, step, 200) for step in range(1, 26)]
        easy = [np.mean([int(s[1:]) < 5 for s in drawn]) for drawn in by_step]
        hard = [np.mean([int(s[1:]) >= 15 for s in drawn]) for drawn in by_step]
        assert easy[0] > 0.35 > hard[0]
        assert hard[-1] > 0.35 > easy[-1]


def test_e2h_without_labels_takes_the_source_s_order() -> None:
    pool = MemoryPool(RATES)
    pool.labels = {}
    drawn = subjects(E2hGaussian(E2hGaussianOptions(width=0.2)), pool, 1, 50)
    assert {int(s[1:]) for s in drawn} <= set(range(5))


# GRESO --------------------------------------------------------------------------------------------


def test_greso_draws_a_task_the_less_often_the_longer_its_streak() -> None:
    curriculum, pool = Greso(GresoOptions(step=0)), MemoryPool({"a": 0.5, "b": 0.5})
    subjects(curriculum, pool, 1, 1)
    for _ in range(3):
        curriculum.observe(group_of("a", 0))
    counts = Counter(s for step in range(2, 602) for s in subjects(curriculum, pool, step, 1))
    # Candidates come in turn, and a is taken with .5^3.
    assert 0.08 < counts["a"] / counts["b"] < 0.19


def test_greso_forgets_a_streak_at_the_first_mixed_group() -> None:
    curriculum = Greso(GresoOptions())
    for passes in (0, 0, 4):
        curriculum.observe(group_of("a", passes))
    assert curriculum.state_dict()["streaks"] == {}


def test_greso_explores_less_where_too_many_groups_are_alike() -> None:
    curriculum, pool = Greso(GresoOptions()), MemoryPool(RATES)
    for step in range(1, 11):
        subjects(curriculum, pool, step, 4)
        for passes in (0, 0, 4, 4):
            curriculum.observe(group_of("s05", passes))
    subjects(curriculum, pool, 11, 1)
    easy, hard = curriculum.explore
    assert easy == pytest.approx(0.6), "no group was too easy"
    assert hard == pytest.approx(0.4), "half of the groups were too hard"


# MoPPS --------------------------------------------------------------------------------------------


def test_mopps_posterior_follows_the_formula() -> None:
    curriculum = Mopps(MoppsOptions(memory=0.5, prior=1.0))
    curriculum.observe(group_of("a", 6))
    curriculum.observe(group_of("a", 2))
    a = 0.5 * (0.5 * 1 + 0.5 + 6) + 0.5 + 2
    b = 0.5 * (0.5 * 1 + 0.5 + 2) + 0.5 + 6
    assert curriculum.state_dict()["posterior"] == {"a": [a, b]}


def test_mopps_goes_to_the_target() -> None:
    drawn = played(Mopps(MoppsOptions()), MemoryPool(FRONTIER), 40, 8, FRONTIER)
    assert Counter(drawn[-160:])["s10"] / 160 > 0.25


def test_mopps_takes_most_of_a_finite_set_s_uncertain_tasks() -> None:
    pool = MemoryPool(RATES, endless=False)
    curriculum = Mopps(MoppsOptions())
    for s, rate in RATES.items():
        for _ in range(5):
            curriculum.observe(group_of(s, round(8 * rate)))
    chosen = subjects(curriculum, pool, 1, 6)
    assert np.mean([abs(RATES[s] - 0.5) for s in chosen]) < 0.2


# VCRL and Prompt Replay ---------------------------------------------------------------------------


@given(st.integers(2, 40), st.data())
def test_variance_is_a_share_of_the_greatest_one(size: int, data: st.DataObject) -> None:
    passes = data.draw(st.integers(0, size))
    score = variance(passes, size)
    assert score is not None
    assert 0 <= score <= 1
    assert variance(size - passes, size) == score
    assert variance(size // 2, size) == 1


def test_vcrl_fills_the_places_of_groups_without_variance_from_its_memory() -> None:
    curriculum, pool = Vcrl(VcrlOptions()), MemoryPool(dict.fromkeys(RATES, 0.5), endless=False)
    first = subjects(curriculum, pool, 1, 4)
    for subject, passes in zip(first, (4, 3, 0, 8), strict=True):
        curriculum.observe(group_of(subject, passes))
    second = subjects(curriculum, pool, 2, 4)
    assert second[:2] == first[:2], "two places, to the tasks with most variance, the greatest first"
    assert not set(second[2:]) & set(first)


def test_vcrl_s_refills_come_from_the_memory_too() -> None:
    curriculum, pool = Vcrl(VcrlOptions()), MemoryPool(RATES)
    curriculum.observe(group_of("s10", 4))
    subjects(curriculum, pool, 1, 1)
    curriculum.observe(group_of("s00", 8))
    assert subjects(curriculum, pool, 1, 1, draw=2) == ["s10"]


def test_vcrl_lets_go_of_a_task_that_became_easy() -> None:
    curriculum = Vcrl(VcrlOptions(threshold=0.3, momentum=0.5))
    curriculum.observe(group_of("s10", 4))
    for _ in range(2):
        curriculum.observe(group_of("s10", 8))
    assert curriculum.memory == {}, "1, .5, .25"


def test_vcrl_fills_the_places_of_the_part_whose_groups_were_without_variance() -> None:
    curriculum = Vcrl(VcrlOptions())
    math, code = (MemoryPool({f"{part}{i}": 0.5 for i in range(9)}) for part in ("math", "code"))
    for subject, passes in (("math1", 4), ("code1", 4), ("code2", 0)):
        curriculum.observe(group_of(subject, passes))
    subjects(curriculum, math, 1, 4)
    assert subjects(curriculum, code, 1, 1, draw=2) == ["code1"], "the draw of the other part left it free"


def test_prompt_replay_waits_counts_and_keeps_its_share() -> None:
    options = PromptReplayOptions(share=0.5, cooldown=2, uses=2)
    curriculum, pool = PromptReplay(options), MemoryPool(RATES, endless=False)
    first = subjects(curriculum, pool, 1, 4)
    for subject, passes in zip(first, (4, 3, 5, 0), strict=True):
        curriculum.observe(group_of(subject, passes))
    seen = [subjects(curriculum, pool, step, 4) for step in (2, 3, 4, 5)]
    assert not set(first) & set(seen[0] + seen[1]), "cooling down"
    assert seen[2][:2] == [first[0], *sorted(first[1:3])[:1]], "half of the batch, nearest to .5 first"
    assert first[0] not in seen[3]


def observed(curriculum: Any, pool: MemoryPool, step: int, k: int, passes: int = 4) -> list[str]:
    """Subjects of a step whose groups all had so many passes of 8."""
    tasks = tasks_of(curriculum.next(k, context(pool, step)))
    for task in tasks:
        curriculum.observe(replace(group_of(task.subject, passes, step=step), task=task.id))
    return [task.subject for task in tasks]


@pytest.mark.parametrize("endless", [False, True], ids=["tasks", "strata"])
def test_prompt_replay_brings_a_prompt_again_only_so_often_between_two_fresh_draws(endless: bool) -> None:
    curriculum = PromptReplay(PromptReplayOptions(share=1, cooldown=0, uses=2))
    pool = MemoryPool(dict.fromkeys(map(str, range(400)), 0.5), endless=endless)
    drawn = Counter(subject for step in range(1, 31) for subject in observed(curriculum, pool, step, 4))
    assert set(drawn.values()) == {3}, "once fresh and twice again, though each group would enter anew"
    assert len(drawn) == 40


def test_prompt_replay_begins_to_count_anew_if_a_prompt_is_drawn_fresh() -> None:
    curriculum = PromptReplay(PromptReplayOptions(share=0.5, cooldown=0, uses=1))
    pool = MemoryPool({"a": 0.5, "b": 0.5, "c": 0.5}, endless=False)
    drawn = Counter(subject for step in range(1, 31) for subject in observed(curriculum, pool, step, 2))
    assert all(count > 10 for count in drawn.values())


def test_prompt_replay_s_count_is_in_its_state() -> None:
    options, pool = PromptReplayOptions(share=1, cooldown=0, uses=1), MemoryPool(RATES, endless=False)
    curriculum = PromptReplay(options)
    first = observed(curriculum, pool, 1, 4)
    assert observed(curriculum, pool, 2, 4) == sorted(first)
    again = PromptReplay(options)
    again.load_state_dict(curriculum.state_dict())
    assert not set(first) & set(observed(again, pool, 3, 4))


def test_prompt_replay_drops_a_prompt_that_became_easy() -> None:
    curriculum = PromptReplay(PromptReplayOptions())
    curriculum.observe(group_of("a", 4))
    curriculum.observe(group_of("a", 8))
    assert curriculum.buffer == {}


# Evidence of neighbours ---------------------------------------------------------------------------


def test_a_neighbour_s_outcomes_count_by_their_share_and_not_by_default() -> None:
    for share, expected in (
        (0.25, {"s01": [0.5, 1.5], "s02": [2, 6], "s03": [0.5, 1.5]}),
        (0, {"s02": [2, 6]}),
    ):
        curriculum, pool = Learnability(LearnabilityOptions(neighbours=share)), MemoryPool(RATES)
        subjects(curriculum, pool, 1, 1)
        curriculum.observe(group_of("s02", 2))
        assert curriculum.state_dict()["evidence"] == expected


def test_the_ends_of_a_pool_have_one_neighbour() -> None:
    curriculum, pool = Mopps(MoppsOptions(neighbours=0.5)), MemoryPool(RATES)
    curriculum.next(1, context(pool, 1))
    curriculum.observe(group_of("s19", 8))
    assert set(curriculum.state_dict()["posterior"]) == {"s19", "s18"}
