"""The curricula with replay: conformance, what joins a batch, and a live session that trains on it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from harness_replay.exgrpo import ExGrpo
from harness_replay.options import ExGrpoOptions, RePoOptions
from harness_replay.repo import RePo

from harness.contract import (
    CurriculumContext,
    Group,
    PolicyRef,
    Rollout,
    RolloutKey,
    Sampling,
    StepMetrics,
    Task,
)
from harness.contract.seeds import generator
from harness.recipe import Stage
from harness.testing import MemoryPool, group_with
from harness.training.session import StageSession
from tests.support.curricula import suites
from tests.support.live_session import LiveRun

globals().update(
    suites(
        {
            "repo": ("repo", {}),
            "repo-by-subject": ("repo", {"by": "subject", "strategy": "variance"}),
            "exgrpo": ("exgrpo", {}),
        }
    )
)


def stored(
    task: str, rewards: Sequence[float], *, step: int = 1, index: int = 0, logprob: float = -1.0
) -> Group:
    """A stored group; its sample i is the i-th of the task in that step."""
    rollouts = [
        Rollout(
            key=RolloutKey("r", "train", "s", step, task, i), prompt_ids=(1,), completion_ids=(1, 2), text="",
            finish="stop", policy=PolicyRef(weights_sha="w", stage="s", step=step), sampling=Sampling(),
            logprobs=(logprob, logprob),
        )
        for i in range(len(rewards))
    ]  # fmt: skip
    made = group_with(rewards, rollouts=rollouts, task=task, subject=task.partition("#")[0], step=step)
    return replace(made, index=index)


class Stored:
    """A store in memory (protocol `Store`)."""

    def __init__(self, *groups: Group) -> None:
        self._groups = groups

    def groups(self) -> Sequence[Group]:
        return self._groups


def context(store: Stored | None, step: int = 9, draw: int = 1) -> CurriculumContext:
    return CurriculumContext("s", step, MemoryPool({"a": 0.5}), generator("replay", step, draw), store)


def samples(groups: Sequence[Group]) -> list[tuple[int, int]]:
    """(step, sample number) of all samples of the only group."""
    (group,) = groups
    return [(s.rollout.key.step, s.rollout.key.sample) for s in group.samples if s.rollout is not None]


FRESH = stored("a#1", [1, 0, 0, 0], step=9)
EARLIER = (
    stored("a#1", [1, 0, 0, 1], step=1),
    stored("a#1", [0, 0, 1, 0], step=3),
    stored("b#1", [1, 0], step=4),
)


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        ("recent", [(3, 0), (3, 1), (3, 2), (3, 3)]),
        ("best", [(3, 3), (1, 0), (1, 3), (3, 2)]),
        ("variance", [(1, 1), (1, 2), (1, 3), (3, 2)]),
    ],
)
def test_repo_takes_samples_of_the_same_task_by_its_strategy(strategy: Any, expected: list[Any]) -> None:
    curriculum = RePo(RePoOptions(strategy=strategy, samples=4))
    assert samples(curriculum.replay([FRESH], context(Stored(*EARLIER)))) == expected


def test_repo_s_random_strategy_takes_any() -> None:
    curriculum = RePo(RePoOptions(strategy="random", samples=2))
    seen = Counter(
        sample
        for draw in range(200)
        for group in curriculum.replay([FRESH], context(Stored(*EARLIER), draw=draw))
        for sample in samples([group])
    )
    assert len(seen) == 8
    assert min(seen.values()) > 10, "pairs of one reward are left out: of 28 pairs 15 are mixed"


def test_repo_leaves_out_what_is_too_old_and_tasks_without_a_past() -> None:
    curriculum = RePo(RePoOptions(oldest=6))
    assert samples(curriculum.replay([FRESH], context(Stored(*EARLIER)))) == [(3, i) for i in range(4)]
    assert not curriculum.replay([stored("c#1", [1, 0])], context(Stored(*EARLIER)))
    assert not curriculum.replay([FRESH], context(None))


def test_repo_by_subject_replays_the_last_group_of_the_stratum() -> None:
    curriculum = RePo(RePoOptions(by="subject"))
    fresh = stored("b#7", [0, 0], step=9)
    (group,) = curriculum.replay([fresh], context(Stored(*EARLIER)))
    assert group.task == "b#1"


def test_repo_by_subject_gives_each_fresh_group_another_stored_one_the_newest_first() -> None:
    fresh = [stored(f"b#{i}", [0, 0], step=9) for i in (7, 8, 9)]
    earlier = (stored("b#1", [1, 0], step=4), stored("b#2", [0, 1], step=5))
    again = RePo(RePoOptions(by="subject")).replay(fresh, context(Stored(*earlier)))
    assert [group.task for group in again] == ["b#2", "b#1"], "and none twice"


def test_repo_replays_a_task_s_samples_once_per_step() -> None:
    twice = [FRESH, replace(FRESH, index=1)]
    assert len(RePo(RePoOptions()).replay(twice, context(Stored(*EARLIER)))) == 1


def test_repo_leaves_out_a_choice_of_one_reward() -> None:
    best = RePo(RePoOptions(strategy="best", samples=2, by="subject"))
    earlier = (stored("b#1", [1, 0, 0], step=4), stored("b#2", [1, 1, 0], step=5))
    (group,) = best.replay([stored("b#7", [0, 0], step=9)], context(Stored(*earlier)))
    assert group.task == "b#1", "of the newer one, the two best are both right"


def exgrpo(**options: Any) -> ExGrpo:
    """One whose last step had a pass rate of one half."""
    made = ExGrpo(ExGrpoOptions(**options))
    made.observe(stored("a#1", [1, 0]))
    return made


def test_exgrpo_begins_once_a_step_s_pass_rate_has_exceeded_its_start() -> None:
    curriculum = ExGrpo(ExGrpoOptions())
    curriculum.observe(stored("a#1", [1, 0, 0, 0]))
    assert not curriculum.replay([FRESH], context(Stored(*EARLIER)))
    curriculum.observe(stored("a#1", [1, 1, 1, 1]))
    assert curriculum.replay([FRESH], context(Stored(*EARLIER)))


def test_exgrpo_fills_its_share_and_replays_a_group_once() -> None:
    curriculum = exgrpo(share=0.5)
    first = curriculum.replay([FRESH, FRESH], context(Stored(*EARLIER)))
    second = curriculum.replay([FRESH, FRESH], context(Stored(*EARLIER)))
    assert [len(first), len(second)] == [2, 1]
    assert {(g.task, g.step) for g in [*first, *second]} == {("a#1", 1), ("a#1", 3), ("b#1", 4)}


def test_exgrpo_s_batch_cannot_be_replayed_altogether() -> None:
    assert len(exgrpo(share=0.75, once=False).replay([FRESH], context(Stored(*EARLIER)))) == 3
    with pytest.raises(ValueError, match="less than 1"):
        ExGrpoOptions(share=1)


def test_exgrpo_prefers_buckets_near_one_half() -> None:
    half, hard = stored("h#1", [1, 1, 0, 0]), stored("x#1", [1, 0, 0, 0, 0, 0, 0, 0])
    curriculum = exgrpo(once=False, share=0.5)
    seen = Counter(
        group.task
        for draw in range(200)
        for group in curriculum.replay([FRESH], context(Stored(half, hard), draw=draw))
    )
    assert seen["h#1"] > 190, "weights 1 and exp(-4.5)"


def test_exgrpo_takes_the_group_whose_right_answers_surprise_least() -> None:
    sure, unsure = stored("s#1", [1, 0], logprob=-0.1), stored("u#1", [1, 0], logprob=-2.0)
    (group,) = exgrpo().replay([FRESH], context(Stored(unsure, sure)))
    assert group.task == "s#1"


# In a live session --------------------------------------------------------------------------------

STAGE = {"name": "s", "rollout": {"n": 4, "batch": 3, "max_tokens": 8}, "replay": {"keep": 8}}


@pytest.fixture
def run(tmp_path: Path) -> Iterator[LiveRun]:
    made = LiveRun(tmp_path)
    yield made
    made.scorer.close()


def answering(session: StageSession, right: int) -> Callable[[Sequence[Task]], list[Rollout]]:
    """A policy that answers the first `right` samples of each task."""

    def generate(tasks: Sequence[Task]) -> list[Rollout]:
        return [
            Rollout(
                key=request.key, prompt_ids=(1,), completion_ids=(1, 2), finish="stop", sampling=Sampling(),
                text=str(task.answer) if request.key.sample < right else "?", logprobs=(-0.5, -0.25),
                policy=PolicyRef(weights_sha="w", stage="s", step=request.key.step - 1),
            )
            for task, requests in zip(tasks, session.requests(tasks), strict=True)
            for request in requests
        ]  # fmt: skip

    return generate


def end(session: StageSession, step: int) -> None:
    session.finish_step(
        StepMetrics(
            stage="s", step=step, rollouts=12, tokens=24, reward_mean=0.0, reward_sd=0.0, pass_rate=0.0,
            zero_variance_groups=0.0, truncated=0.0,
        )
    )  # fmt: skip


@pytest.mark.parametrize(
    "curriculum",
    [RePo(RePoOptions(by="subject", samples=4)), ExGrpo(ExGrpoOptions(start=0.1))],
    ids=["repo", "exgrpo"],
)
def test_stored_groups_join_the_batch_of_a_session_and_cost_nothing(run: LiveRun, curriculum: Any) -> None:
    session = run.session(Stage.model_validate(STAGE), curriculum=curriculum)
    first = session.collect(answering(session, 1))
    assert not any(s.replayed for g in first.groups for s in g.samples)
    end(session, 1)
    second = session.collect(answering(session, 0))
    again = [group for group in second.groups if group.samples[0].replayed]
    fresh = [group for group in second.groups if not group.samples[0].replayed]
    assert again
    assert len(fresh) == 3
    assert all(s.replayed for g in again for s in g.samples)
    assert all(any(g.advantages) for g in again), "fresh groups teach nothing now, stored ones do"
    assert not any(any(g.advantages) for g in fresh)
    assert second.rollouts == 12
