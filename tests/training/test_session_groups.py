"""Groups of any size, groups that grow, replayed groups: what a curriculum may ask of a session."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.contract.errors import PluginError, TrainingError
from harness.contract.protocols import Ask, CurriculumContext
from harness.contract.records import PolicyRef, StepMetrics, Task
from harness.contract.samples import Group
from harness.contract.sessions import Batch
from harness.recipe import Budget, Stage
from harness.recording.groups import read_group
from harness.testing import group_of
from harness.training.collecting import interleaved
from harness.training.session import StageSession
from tests.support.live_session import LiveRun, RoundRobin, answering

STAGE = {"name": "s", "rollout": {"n": 4, "batch": 3, "max_tokens": 8}}
REPLAYING = STAGE | {"replay": {"keep": 2}}


def first_is_right(task: Task, sample: int) -> bool:
    return sample == 0


def end(session: StageSession, batch: Batch) -> StepMetrics:
    """Report the step."""
    session.finish_step(
        StepMetrics(
            stage="s", step=session.steps_done + 1, rollouts=batch.rollouts, tokens=batch.tokens,
            reward_mean=0.5, reward_sd=0.5, pass_rate=0.5, zero_variance_groups=0.0, truncated=0.0,
        )
    )  # fmt: skip
    return session.history[-1]


class Sizes(RoundRobin):
    """Groups of the given sizes, in turn."""

    def __init__(self, *sizes: int) -> None:
        super().__init__()
        self.sizes = sizes

    def next(self, k: int, context: CurriculumContext) -> Sequence[Any]:
        tasks = super().next(k, context)
        return [Ask(task, self.sizes[i % len(self.sizes)]) for i, task in enumerate(tasks)]


class Pilots(Sizes):
    """Pilots of two samples; those with a right one are extended by four."""

    def __init__(self) -> None:
        super().__init__(2)
        self.seen: list[Group] = []

    def more(self, groups: Sequence[Group], context: CurriculumContext) -> Sequence[Ask]:
        drawn = {group.task: group for group in groups if group.size == 2 and any(group.rewards)}
        tasks = {group.task: group for group in groups}
        return [Ask(self.task_of[name], 4) for name in drawn if tasks[name].size == 2]

    def next(self, k: int, context: CurriculumContext) -> Sequence[Any]:
        asks = super().next(k, context)
        self.task_of = {ask.task.id: ask.task for ask in asks}
        return asks

    def observe(self, group: Group) -> None:
        self.seen.append(group)


class Mixed:
    max_refills = 0

    def keep(self, group: Group) -> bool:
        return group.mixed


def told(groups: Sequence[Group]) -> list[Any]:
    """All about groups but how long judging took."""
    return [
        [group.task, group.step, [(s.rollout, s.reward, s.advantage, s.replayed) for s in group.samples]]
        for group in groups
    ]


def lines_of(run: LiveRun) -> list[dict[str, Any]]:
    return [line for line in run.lines() if line["t"] == "group"]


def test_a_curriculum_decides_how_large_each_group_is(run: LiveRun) -> None:
    session = run.session(Stage.model_validate(STAGE), curriculum=Sizes(2, 3, 7))
    batch = session.collect(answering(session, first_is_right))
    assert [group.size for group in batch.groups] == [2, 3, 7]
    assert batch.rollouts == 12
    for group in batch.groups:
        assert sum(group.advantages) == pytest.approx(0)
        assert [r.key.sample for r in group.rollouts or ()] == list(range(group.size))


def test_the_budget_holds_for_groups_of_any_size(tmp_path: Path) -> None:
    run = LiveRun(tmp_path, budget=Budget(rollouts=12))
    session = run.session(Stage.model_validate(STAGE), curriculum=Sizes(5))
    batch = session.collect(answering(session, first_is_right))
    assert [group.size for group in batch.groups] == [5, 5, 2], "the last one gets what is left"
    run.scorer.close()


def test_a_budget_that_no_group_of_an_asked_size_fits_is_spent_all_the_same(tmp_path: Path) -> None:
    run = LiveRun(tmp_path, budget=Budget(rollouts=20))
    session = run.session(Stage.model_validate(STAGE), curriculum=Sizes(12))
    first = session.collect(answering(session, first_is_right))
    assert [group.size for group in first.groups] == [12, 8]
    end(session, first)
    assert session.stop_reason() == "the run's budget of 20 rollouts is spent"
    run.scorer.close()


def test_each_round_of_a_step_has_random_numbers_of_its_own(run: LiveRun) -> None:
    class Rounds(Sizes):
        def __init__(self) -> None:
            super().__init__(2)
            self.numbers: list[float] = []

        def next(self, k: int, context: CurriculumContext) -> Sequence[Any]:
            self.numbers.append(context.rng.random())
            self.tasks = super().next(k, context)
            return self.tasks

        def more(self, groups: Sequence[Group], context: CurriculumContext) -> Sequence[Ask]:
            self.numbers.append(context.rng.random())
            return self.tasks[:1] if len(self.numbers) < 5 else ()

        def replay(self, groups: Sequence[Group], context: CurriculumContext) -> Sequence[Group]:
            self.numbers.append(context.rng.random())
            return ()

    curriculum = Rounds()
    session = run.session(Stage.model_validate(REPLAYING), curriculum=curriculum)
    session.collect(answering(session, first_is_right))
    assert len(curriculum.numbers) == 6
    assert len(set(curriculum.numbers)) == 6


def test_more_samples_join_the_group_that_was_answered(run: LiveRun) -> None:
    curriculum = Pilots()
    session = run.session(Stage.model_validate(STAGE), curriculum=curriculum, gates=[Mixed()])
    hopeless: list[str] = []

    def right(task: Task, sample: int) -> bool:
        if not hopeless:
            hopeless.append(task.id)
        return task.id not in hopeless and sample in (0, 5)

    batch = session.collect(answering(session, right))
    assert [group.size for group in batch.groups] == [6, 6]
    assert [group.rewards for group in batch.groups] == [(1.0, 0.0, 0.0, 0.0, 0.0, 1.0)] * 2
    assert all(sum(group.advantages) == pytest.approx(0) for group in batch.groups)
    # Three pilots of two and two extensions of four; a group is paid for once.
    assert batch.rollouts == 14
    assert batch.discarded == 1
    assert [len(group.fresh) for group in curriculum.seen] == [2, 2, 2, 4, 4]
    metrics = end(session, batch)
    assert metrics.rollouts == 14
    assert run.lines()[-1]["spent_rollouts"] == 14


def test_a_group_that_was_extended_in_vain_does_not_reach_the_batch(run: LiveRun) -> None:
    class Worse(Pilots):
        def keep(self, group: Group) -> bool:
            return group.size == 2

    curriculum = Worse()
    gate = Mixed()
    gate.keep = lambda group: group.size == 2  # type: ignore[method-assign]
    session = run.session(Stage.model_validate(STAGE), curriculum=curriculum, gates=[gate])
    with pytest.raises(TrainingError, match="none of 3 groups passed"):
        session.collect(answering(session, first_is_right))


def test_only_tasks_that_were_answered_in_this_step_can_have_more(run: LiveRun) -> None:
    class Early(Pilots):
        def more(self, groups: Sequence[Group], context: CurriculumContext) -> Sequence[Ask]:
            return [Ask(context.pool.draw("1"), 4)]

    session = run.session(Stage.model_validate(STAGE), curriculum=Early())
    with pytest.raises(PluginError, match="was not answered in this step"):
        session.collect(answering(session, first_is_right))


class Replaying(RoundRobin):
    """Adds the oldest stored group to each batch."""

    def replay(self, groups: Sequence[Group], context: CurriculumContext) -> Sequence[Group]:
        assert context.store is not None
        return context.store.groups()[:1]


def test_replayed_groups_join_the_batch_marked_and_unpaid(run: LiveRun) -> None:
    session = run.session(Stage.model_validate(REPLAYING), curriculum=Replaying())
    first = session.collect(answering(session, first_is_right))
    assert len(first.groups) == 3
    end(session, first)
    second = session.collect(answering(session, first_is_right))
    (replayed,) = [group for group in second.groups if group.samples[0].replayed]
    assert [sample.replayed for sample in replayed.samples] == [True] * 4
    assert replayed.advantages == first.groups[1].advantages
    assert [r.logprobs for r in replayed.rollouts or ()] == [(-0.5, -0.25)] * 4
    assert {r.policy.step for r in replayed.rollouts or ()} == {0}
    assert (second.rollouts, second.tokens) == (12, 24)
    end(session, second)
    assert run.lines()[-1]["spent_rollouts"] == 24
    marked = [line for line in lines_of(run) if "replayed" in line["group"]]
    assert [read_group(line["group"]).step for line in marked] == [2]


class Halved:
    """A shaper that halves rewards."""

    def rewards(self, group: Group, label: Any) -> Sequence[float | None]:
        return [None if reward is None else reward / 2 for reward in group.rewards]

    def advantages(self, group: Group, label: Any) -> Sequence[float]:
        return group.advantages


def test_a_replayed_group_is_shaped_once(run: LiveRun) -> None:
    """The store holds a group as it was judged, so that a shaper sees what the verifier said."""
    stage = Stage.model_validate(REPLAYING | {"shapers": ["length-penalty"]})
    session = run.session(stage, curriculum=Replaying(), shapers=[Halved()])
    first = session.collect(answering(session, first_is_right))
    assert {group.rewards for group in first.groups} == {(0.5, 0.0, 0.0, 0.0)}
    end(session, first)
    second = session.collect(answering(session, first_is_right))
    assert len(second.groups) == 4
    assert {group.rewards for group in second.groups} == {(0.5, 0.0, 0.0, 0.0)}


def test_every_mini_batch_holds_fresh_and_replayed_groups_alike() -> None:
    fresh = [group_of(f"new-{i}", 1, 4) for i in range(4)]
    again = [group_of(f"old-{i}", 1, 4) for i in range(4)]
    for old in (again, again[:2]):
        batch = interleaved(fresh, old)
        assert [group for group in batch if group in fresh] == fresh, "each kind in its own order"
        assert [group for group in batch if group in old] == old
        half = len(batch) // 2
        for part in (batch[:half], batch[half:]):
            assert sum(group in old for group in part) == len(old) // 2
    assert interleaved(fresh, ()) == tuple(fresh)


def test_the_store_is_in_checkpoints(run: LiveRun, tmp_path: Path) -> None:
    session = run.session(Stage.model_validate(REPLAYING), curriculum=Replaying())
    end(session, session.collect(answering(session, first_is_right)))
    checkpoint = session.save(lambda folder: PolicyRef(weights_sha="w", stage="s", step=1))
    unbroken = session.collect(answering(session, first_is_right)).groups
    run.ledger.close()
    again = run.session(Stage.model_validate(REPLAYING), curriculum=Replaying(), resume=checkpoint.path)
    assert told(again.collect(answering(again, first_is_right)).groups) == told(unbroken)


def test_what_is_not_in_the_store_cannot_be_replayed(run: LiveRun) -> None:
    class Inventing(Replaying):
        def replay(self, groups: Sequence[Group], context: CurriculumContext) -> Sequence[Group]:
            return groups[:1]

    session = run.session(Stage.model_validate(REPLAYING), curriculum=Inventing())
    with pytest.raises(PluginError, match="not in the store"):
        session.collect(answering(session, first_is_right))


@pytest.mark.parametrize(
    ("joined", "message"),
    [
        (lambda old: replace(old[0], samples=old[0].samples + old[1].samples), "in a group of task"),
        (lambda old: replace(old[0], samples=old[0].samples[:1] * 2), "twice in a group"),
    ],
    ids=["two tasks", "a sample twice"],
)  # fmt: skip
def test_a_replayed_group_is_of_one_task_and_each_sample_is_in_it_once(
    run: LiveRun, joined: Any, message: str
) -> None:
    class Joining(Replaying):
        def replay(self, groups: Sequence[Group], context: CurriculumContext) -> Sequence[Group]:
            assert context.store is not None
            stored = context.store.groups()
            return [joined(stored)] if stored else ()

    session = run.session(Stage.model_validate(REPLAYING), curriculum=Joining())
    end(session, session.collect(answering(session, first_is_right)))
    with pytest.raises(PluginError, match=message):
        session.collect(answering(session, first_is_right))


def test_groups_without_log_probabilities_cannot_be_stored(run: LiveRun) -> None:
    session = run.session(Stage.model_validate(REPLAYING), curriculum=Replaying())
    generate = answering(session, first_is_right)
    with pytest.raises(TrainingError, match="has no log-probabilities"):
        session.collect(lambda tasks: [replace(r, logprobs=None) for r in generate(tasks)])
