"""The curricula: which subjects they draw, and that their state says everything."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
from harness_curricula.frozen import FrozenFilter
from harness_curricula.learnability import Learnability
from harness_curricula.options import FrozenFilterOptions, LearnabilityOptions, StagedOptions
from harness_curricula.staged import Staged
from harness_curricula.uniform import Uniform
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.contract.errors import RecipeError, TrainingError
from harness.contract.protocols import Curriculum, CurriculumContext
from harness.contract.records import StepMetrics
from harness.contract.seeds import generator
from harness.recipe.errors import validated
from harness.testing import MemoryPool, group_of

ALL = {
    "uniform": lambda: Uniform(),
    "staged": lambda: Staged(StagedOptions()),
    "staged-easy-first": lambda: Staged(StagedOptions(order="easy-first", pace_steps=4)),
    "frozen-filter": lambda: FrozenFilter(FrozenFilterOptions()),
    "learnability": lambda: Learnability(LearnabilityOptions()),
    "learnability-mean": lambda: Learnability(LearnabilityOptions(explore="mean", utility="mixed")),
}


def draw(
    curriculum: Curriculum, pool: MemoryPool, step: int, k: int, *, stage: str = "s", refill: int = 0
) -> list[str]:
    rng = generator("test", stage, step, refill)
    return [t.subject for t in curriculum.next(k, CurriculumContext(stage, step, pool, rng))]


def history(rates: Iterable[float]) -> list[StepMetrics]:
    return [
        StepMetrics(
            stage="s", step=i, rollouts=1, tokens=1, reward_mean=p, reward_sd=0.0, pass_rate=p,
            zero_variance_groups=0.0, truncated=0.0,
        )
        for i, p in enumerate(rates)
    ]  # fmt: skip


RATES = {f"s{i}": round(i / 19, 3) for i in range(20)}


@pytest.mark.parametrize("name", ALL)
@settings(max_examples=25, deadline=None)
@given(
    k=st.integers(1, 40),
    split=st.integers(0, 6),
    endless=st.booleans(),
    passes=st.lists(st.integers(0, 8), min_size=8, max_size=8),
)
def test_a_restored_state_draws_what_the_unbroken_one_does(
    name: str, k: int, split: int, endless: bool, passes: list[int]
) -> None:
    def run(broken: bool) -> list[list[str]]:
        curriculum, pool, out = ALL[name](), MemoryPool(RATES, endless=endless), []
        for step in range(8):
            if broken and step == split:
                state: dict[str, Any] = json.loads(json.dumps(curriculum.state_dict()))
                curriculum = ALL[name]()
                curriculum.load_state_dict(state)
            out.append(draw(curriculum, pool, step, k))
            for subject in out[-1]:
                curriculum.observe(group_of(subject, passes[step]))
        return out

    assert run(broken=True) == run(broken=False)


@pytest.mark.parametrize("name", ALL)
def test_a_million_subjects_are_drawn_from_in_milliseconds(name: str) -> None:
    pool = MemoryPool({})
    pool.subjects = [f"s{i}" for i in range(1_000_000)]
    curriculum = ALL[name]()
    draw(curriculum, pool, 0, 128)
    start = time.process_time()
    for step in range(1, 11):
        for subject in draw(curriculum, pool, step, 128):
            curriculum.observe(group_of(subject, 4))
    assert (time.process_time() - start) / 10 < 0.25


def test_uniform_gives_each_subject_once_an_epoch() -> None:
    curriculum, pool = Uniform(), MemoryPool(RATES, endless=False)
    for epoch in range(3):
        drawn = [s for step in range(5) for s in draw(curriculum, pool, 5 * epoch + step, 4)]
        assert sorted(drawn) == sorted(RATES)


def test_uniform_draws_strata_in_equal_parts() -> None:
    curriculum, pool = Uniform(), MemoryPool(RATES)
    counts = Counter(s for step in range(50) for s in draw(curriculum, pool, step, 32))
    assert max(counts.values()) - min(counts.values()) <= 1


def test_staged_draws_from_all_that_the_stage_offers() -> None:
    pool = MemoryPool(RATES)
    pool.subjects = [*pool.subjects, "new"]
    assert set(draw(Staged(StagedOptions()), pool, 0, 200)) == {*RATES, "new"}, "measured or not"


def test_staged_reads_labels_anew_each_stage() -> None:
    curriculum = Staged(StagedOptions(order="easy-first", start_share=0.2))
    turned = MemoryPool({s: 1 - p for s, p in RATES.items()})
    easy = set(draw(curriculum, MemoryPool(RATES), 0, 100))
    assert easy == {"s16", "s17", "s18", "s19"}
    assert set(draw(curriculum, turned, 1, 100)) <= {"s15", *easy}, "labels are read once per stage"
    assert set(draw(curriculum, turned, 0, 100, stage="t")) == {"s0", "s1", "s2", "s3"}


@pytest.mark.parametrize("options", [StagedOptions, FrozenFilterOptions])
def test_a_window_is_the_select_of_the_stage(options: type[StagedOptions]) -> None:
    with pytest.raises(RecipeError, match=r'low and high.*set select = "0\.3 <= mean <= 0\.7" in the stage'):
        validated(options, {"low": 0.3, "high": 0.7}, where="stages.0.curriculum")
    with pytest.raises(RecipeError, match=r'set select = "0\.0 <= mean <= 0\.7" in the stage'):
        validated(options, {"high": 0.7}, where="stages.0.curriculum")


def test_staged_easy_first_opens_from_the_easy_end() -> None:
    curriculum = Staged(StagedOptions(order="easy-first", pace_steps=10, start_share=0.2))
    pool = MemoryPool(RATES)
    hardest = [min(RATES[s] for s in draw(curriculum, pool, step, 100)) for step in range(12)]
    assert hardest[0] >= RATES["s16"]
    assert hardest == sorted(hardest, reverse=True)
    assert hardest[-1] == 0.0


def test_frozen_filter_never_looks_again() -> None:
    curriculum = FrozenFilter(FrozenFilterOptions())
    first = {s: p for s, p in RATES.items() if 0.3 <= p <= 0.7}
    assert set(draw(curriculum, MemoryPool(first), 0, 200)) == set(first)
    state = json.loads(json.dumps(curriculum.state_dict()))
    later = FrozenFilter(FrozenFilterOptions())
    later.load_state_dict(state)
    everything_easy = MemoryPool(dict.fromkeys(RATES, 1.0))
    assert set(draw(later, everything_easy, 0, 200, stage="another")) == set(first)


def test_frozen_filter_says_that_the_first_stage_offered_nothing() -> None:
    curriculum = FrozenFilter(FrozenFilterOptions())
    draw(curriculum, MemoryPool({"a": 0.5}), 0, 4)
    with pytest.raises(TrainingError, match=r"stage 's'.* offered none of the 1 subjects of this stage"):
        draw(curriculum, MemoryPool({"b": 0.5}), 0, 4, stage="t")


def test_staged_exits_on_a_plateau_and_not_before() -> None:
    rng = np.random.default_rng(0)
    options = StagedOptions(plateau_window=20, mastery_window=0)
    rising = [0.3 + 0.005 * i + 0.03 * rng.standard_normal() for i in range(80)]
    flat = [0.6 + 0.03 * rng.standard_normal() for _ in range(60)]
    curriculum = Staged(options)
    assert all(curriculum.finished(history(rising[:n])) is None for n in range(80))
    reason = curriculum.finished(history(rising + flat))
    assert reason is not None
    assert reason.startswith("plateau: the pass rate of the last 20 steps, 0.6")


def test_staged_exits_on_mastery() -> None:
    curriculum = Staged(StagedOptions(mastery=0.9, mastery_window=5, plateau_window=0))
    assert curriculum.finished(history([0.5, 0.9, 0.95, 0.9, 0.9])) is None
    reason = curriculum.finished(history([0.5, 0.9, 0.95, 0.92, 0.9, 0.91]))
    assert reason == "mastery: the pass rate of the last 5 steps is 0.916, at least 0.9"


@pytest.mark.parametrize("name", ["learnability", "learnability-mean"])
def test_learnability_seeks_what_is_sometimes_solved(name: str) -> None:
    curriculum, pool = ALL[name](), MemoryPool(dict.fromkeys(RATES, 0.0))
    rates = dict.fromkeys(RATES, 0.0) | {"s7": 0.5, "s8": 1.0}
    counts: Counter[str] = Counter()
    rng = np.random.default_rng(0)
    for step in range(60):
        for subject in draw(curriculum, pool, step, 32):
            curriculum.observe(group_of(subject, int(rng.binomial(8, rates[subject]))))
            counts[subject] += step >= 30
    assert counts["s7"] / counts.total() > (0.3 if name == "learnability" else 0.15)
    assert counts["s7"] > 3 * counts["s8"]


def test_learnability_forgets_old_outcomes() -> None:
    curriculum, pool = Learnability(LearnabilityOptions(decay=0.5)), MemoryPool({"a": 0.5, "b": 0.5})
    draw(curriculum, pool, 0, 2)
    for _ in range(50):
        curriculum.observe(group_of("a", 8))
    before = Counter(draw(curriculum, pool, 1, 1000))
    for step in range(2, 20):
        draw(curriculum, pool, step, 2)
    shares = [Counter(draw(curriculum, pool, step, 1000))["a"] for step in range(20, 60)]
    assert before["a"] < 100
    assert 350 < np.mean(shares) < 650


@pytest.mark.parametrize("name", ["staged", "frozen-filter"])
def test_parts_of_a_mixture_each_give_their_own_subjects(name: str) -> None:
    curriculum = ALL[name]()
    math, code = MemoryPool({"m1": 0.5, "m2": 0.0}), MemoryPool({"c1": 0.4, "m1": 0.5})
    for step in range(3):
        assert set(draw(curriculum, math, step, 4)) == {"m1", "m2"}
        assert {"c1"} <= set(draw(curriculum, code, step, 4)) <= {"c1", "m1"}
