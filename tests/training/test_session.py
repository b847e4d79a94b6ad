"""The session: one order of a step for every trainer, honest rewards, budgets that hold."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.contract.errors import TrainingError
from harness.contract.protocols import CurriculumContext
from harness.contract.records import Rollout, StepMetrics, Task
from harness.contract.samples import Group
from harness.recipe import Budget, Conventions, Stage
from harness.scoring import Scorer, VerifierSpec
from harness.training.drawing import Mixture
from harness.training.session import StageSession
from tests.support.live_session import LiveRun, RoundRobin, answering
from tests.support.scoring_verifiers import Background
from tests.training.test_session_groups import told

STAGE = {"name": "s", "rollout": {"n": 4, "batch": 3, "max_tokens": 8}}


def metrics(session: StageSession, **changes: Any) -> StepMetrics:
    made = StepMetrics(
        stage="s",
        step=session.steps_done + 1,
        rollouts=12,
        tokens=24,
        reward_mean=0.5,
        reward_sd=0.5,
        pass_rate=0.5,
        zero_variance_groups=0.0,
        truncated=0.0,
    )
    return replace(made, **changes)


def half(task: Task, sample: int) -> bool:
    return sample % 2 == 0


def test_a_group_comes_back_with_rewards_and_normalised_advantages(run: LiveRun) -> None:
    session = run.session(Stage.model_validate(STAGE), conventions=Conventions(advantage_epsilon=0))
    batch = session.collect(answering(session, half))
    assert [g.rewards for g in batch.groups] == [(1.0, 0.0, 1.0, 0.0)] * 3
    expected = 0.5 / math.sqrt(1 / 3)
    assert batch.groups[0].advantages == pytest.approx((expected, -expected) * 2)
    assert (batch.rollouts, batch.tokens, batch.discarded) == (12, 24, 0)


@pytest.mark.parametrize(("std", "scale"), [("sample", math.sqrt(1 / 3)), ("population", 0.5), ("none", 1.0)])
def test_the_declared_conventions_are_used(run: LiveRun, std: Any, scale: float) -> None:
    conventions = Conventions(std=std, advantage_epsilon=0.25)
    session = run.session(Stage.model_validate(STAGE), conventions=conventions)
    batch = session.collect(answering(session, half))
    added = 0.0 if std == "none" else 0.25
    assert batch.groups[0].advantages[0] == pytest.approx(0.5 / (scale + added))


def test_a_group_without_variance_has_advantage_zero_not_nan(run: LiveRun) -> None:
    session = run.session(Stage.model_validate(STAGE), conventions=Conventions(advantage_epsilon=0))
    batch = session.collect(answering(session, lambda task, i: True))
    assert all(g.advantages == (0.0,) * 4 and not g.mixed for g in batch.groups)


def test_an_infrastructure_error_is_masked_never_zero(run: LiveRun) -> None:
    session = run.session(Stage.model_validate(STAGE))
    generate = answering(session, half)

    def with_abort(tasks: Sequence[Task]) -> list[Rollout]:
        first, *rest = generate(tasks)
        return [replace(first, finish="abort", text=""), *rest]

    (group, *_) = session.collect(with_abort).groups
    assert group.rewards == (None, 0.0, 1.0, 0.0)
    assert group.advantages[0] == 0.0
    assert sum(group.advantages) == pytest.approx(0)


@dataclass
class Mixed:
    max_refills: int

    def keep(self, group: Group) -> bool:
        return group.mixed


def test_refills_fill_the_batch_and_count_what_was_discarded(run: LiveRun) -> None:
    session = run.session(Stage.model_validate(STAGE), gates=[Mixed(5)])
    drawn = iter(range(1000))
    group_of: dict[str, int] = {}

    def every_third_is_mixed(task: Task, sample: int) -> bool:
        number = group_of.setdefault(task.id, next(drawn))
        return number % 3 == 0 and sample == 0

    batch = session.collect(answering(session, every_third_is_mixed))
    assert len(batch.groups) == 3
    assert batch.discarded == len(group_of) - 3
    assert batch.rollouts == 4 * len(group_of)
    kept = [line["kept"] for line in run.lines() if line["t"] == "group"]
    assert kept.count(True) == 3
    assert len(kept) == len(group_of)


def test_nothing_that_passes_ends_the_first_step_with_an_error_and_a_later_one_with_a_stop(
    run: LiveRun,
) -> None:
    stage = Stage.model_validate(STAGE | {"max_steps": 9})
    session = run.session(stage, gates=[Mixed(2)])
    with pytest.raises(TrainingError, match="none of 9 groups passed the gates"):
        session.collect(answering(session, lambda task, i: False))
    run.ledger.close()

    session = run.session(stage, gates=[Mixed(2)])
    session.collect(answering(session, half))
    assert session.finish_step(metrics(session)).stop is None
    assert not session.collect(answering(session, lambda task, i: False)).groups
    assert "none of 9 groups" in str(session.stop_reason())


@pytest.mark.parametrize(("gates", "may_follow"), [([], 2), ([Mixed(2)], 0)])
def test_steps_of_which_nothing_could_be_judged_are_an_error_and_no_end(
    run: LiveRun, gates: list[Mixed], may_follow: int
) -> None:
    session = run.session(Stage.model_validate(STAGE | {"max_steps": 99}), gates=gates)
    generate = answering(session, half)

    def lost(tasks: Sequence[Task]) -> list[Rollout]:
        return [replace(r, finish="abort", text="", reason="no server answers") for r in generate(tasks)]

    # One that is judged begins the count anew.
    for _ in range(2):
        session.collect(generate)
        session.finish_step(metrics(session))
        for _ in range(may_follow):
            session.collect(lost)
            assert session.finish_step(metrics(session)).stop is None

    def once_more() -> None:
        session.collect(lost)
        session.finish_step(metrics(session))

    with pytest.raises(TrainingError, match=r"none of \d+ samples .*: no server answers"):
        once_more()
    assert session.stop_reason() is None


@pytest.mark.parametrize("steps", [1, 2])
def test_a_stage_of_which_no_step_was_judged_is_no_success(run: LiveRun, steps: int) -> None:
    session = run.session(Stage.model_validate(STAGE | {"max_steps": steps}))
    generate = answering(session, half)

    def lost(tasks: Sequence[Task]) -> list[Rollout]:
        return [replace(r, finish="abort", text="", reason="no server answers") for r in generate(tasks)]

    for _ in range(steps - 1):
        session.collect(lost)
        assert session.finish_step(metrics(session)).stop is None
    session.collect(lost)
    with pytest.raises(TrainingError, match=r"of which no step was judged: none of \d+ samples"):
        session.finish_step(metrics(session))


def test_a_step_says_which_share_of_its_samples_could_not_be_judged(run: LiveRun) -> None:
    session = run.session(Stage.model_validate(STAGE | {"max_steps": 9}), gates=[Mixed(2)])
    generate = answering(session, lambda task, i: i == 1)

    def partly(tasks: Sequence[Task]) -> list[Rollout]:
        return [replace(r, finish="abort") if r.key.sample == 0 else r for r in generate(tasks)]

    session.collect(partly)
    session.finish_step(metrics(session))
    session.collect(generate)
    session.finish_step(metrics(session))
    assert [m.unjudged for m in session.history] == [0.25, 0.0]


def test_the_budget_is_never_overdrawn(tmp_path: Path) -> None:
    run = LiveRun(tmp_path, budget=Budget(rollouts=30))
    session = run.session(Stage.model_validate(STAGE))
    spent = []
    for _ in range(3):
        batch = session.collect(answering(session, half))
        spent.append(batch.rollouts)
        stop = session.finish_step(metrics(session)).stop
        if stop:
            break
    # 30 rollouts are two full steps and one group; the last two rollouts make no group.
    assert spent == [12, 12, 4]
    assert stop == "the run's budget of 30 rollouts is spent"
    run.scorer.close()


@pytest.mark.parametrize(
    ("changes", "steps", "reason"),
    [
        ({"max_steps": 2}, 2, "2 steps"),
        ({"until": {"rollouts": 20}}, 2, "24 rollouts of the stage's 20"),
        ({"until": {"tokens": 60}}, 3, "72 tokens of the stage's 60"),
        ({"until": {"steps": 1}, "max_steps": 5}, 1, "1 steps"),
    ],
)
def test_a_stage_ends_by_its_own_count(
    run: LiveRun, changes: dict[str, Any], steps: int, reason: str
) -> None:
    session = run.session(Stage.model_validate(STAGE | changes))
    for number in range(1, 10):
        session.collect(answering(session, half))
        stop = session.finish_step(metrics(session)).stop
        if stop:
            assert (number, stop) == (steps, reason)
            return
    raise AssertionError("the stage never ended")


def test_a_task_met_twice_in_a_step_draws_other_samples(run: LiveRun) -> None:
    class Twice(RoundRobin):
        def next(self, k: int, context: CurriculumContext) -> Sequence[Task]:
            return [*super().next(1, context)] * 2

    session = run.session(Stage.model_validate(STAGE), curriculum=Twice())
    first, second = session.requests(session.next_tasks(2))
    assert {r.key for r in first}.isdisjoint(r.key for r in second)
    assert len({r.key.seed for r in (*first, *second)}) == 8


def test_the_same_step_of_the_same_run_asks_for_the_same_rollouts(tmp_path: Path) -> None:
    asked = []
    for name in ("a", "b"):
        run = LiveRun(tmp_path / name)
        session = run.session(Stage.model_validate(STAGE))
        asked.append([[r.key for r in group] for group in session.requests(session.next_tasks(3))])
        run.scorer.close()
    assert asked[0] == asked[1]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"loss": math.nan}, "loss is nan"),
        ({"grad_norm": math.inf}, "grad_norm is inf"),
        ({"step": 7}, "step 7 of stage 's' was reported"),
        ({"stage": "other"}, "stage 'other' was reported"),
    ],
)
def test_a_step_that_cannot_be_right_is_refused(run: LiveRun, changes: dict[str, Any], words: str) -> None:
    session = run.session(Stage.model_validate(STAGE))
    with pytest.raises(TrainingError, match=words):
        session.finish_step(metrics(session, **changes))
    assert [line for line in run.lines() if line["t"] == "step"] == []


def test_incomplete_groups_and_strange_tasks_are_refused(run: LiveRun) -> None:
    session = run.session(Stage.model_validate(STAGE))
    tasks = session.next_tasks(1)
    rollouts = answering(session, half)(tasks)
    with pytest.raises(TrainingError, match="came back with 3 rollouts"):
        session.submit(rollouts[:3])
    other = replace(rollouts[0], key=replace(rollouts[0].key, task="elsewhere"))
    with pytest.raises(TrainingError, match="'elsewhere' was not handed out"):
        session.submit([other])


def test_a_finished_step_is_on_disk_before_the_trainer_goes_on(run: LiveRun) -> None:
    session = run.session(Stage.model_validate(STAGE))
    session.collect(answering(session, half))
    session.finish_step(metrics(session))
    (line,) = [line for line in run.lines() if line["t"] == "step"]
    assert line["spent_rollouts"] == 12
    assert line["spent_tokens"] == 24


@given(
    st.lists(st.floats(0.01, 1), min_size=1, max_size=6),
    st.lists(st.integers(0, 40), min_size=1, max_size=30),
)
def test_shares_of_a_mixture_hold_over_steps_and_refills(weights: list[float], counts: list[int]) -> None:
    shares = [w / sum(weights) for w in weights]
    mixture = Mixture((), shares, [0] * len(shares))
    for count in counts:
        parts = mixture.split(count)
        assert sum(parts) == count
        assert min(parts) >= 0
    given_ = [abs(n - share * sum(counts)) for n, share in zip(mixture.given, shares, strict=True)]
    assert max(given_) <= len(shares)


def test_an_aborted_rollout_is_no_outcome_for_labels(run: LiveRun) -> None:
    session = run.session(Stage.model_validate(STAGE))
    session._run = replace(session._run, reuse=0.9)
    generate = answering(session, lambda task, i: True)

    def with_aborts(tasks: Sequence[Task]) -> list[Rollout]:
        return [replace(r, finish="abort") if r.key.sample == 0 else r for r in generate(tasks)]

    session.collect(with_aborts)
    assert set(session.outcomes.values()) == {(3.0, 3.0)}


# Judging overlaps generating ----------------------------------------------------------------------


def _background(run: LiveRun) -> list[tuple[str, int]]:
    """Have the run's chains judged by a verifier with threads of its own; what it has judged."""
    run.scorer.close()
    spec = VerifierSpec(name="exact", target="tests.support.scoring_verifiers:Background", submits=True)
    run.scorer = Scorer({"exact": spec})
    Background.judged.clear()
    return Background.judged


def test_a_rollout_is_judged_while_the_next_one_is_generated(run: LiveRun) -> None:
    judged = _background(run)
    session = run.session(Stage.model_validate(STAGE))

    def one_by_one(tasks: Sequence[Task]) -> Iterator[Rollout]:
        for number, rollout in enumerate(answering(session, half)(tasks)):
            yield rollout
            deadline = time.monotonic() + 10
            # The next one is not generated before this one has its verdict.
            while len(judged) <= number:
                assert time.monotonic() < deadline, f"rollout {number} waits for the others to be judged"
                time.sleep(0.001)

    batch = session.collect(one_by_one)
    assert [g.rewards for g in batch.groups] == [(1.0, 0.0, 1.0, 0.0)] * 3
    assert (batch.rollouts, batch.tokens) == (12, 24)
    # Offered and submitted, and judged once.
    assert len(judged) == len(set(judged)) == 12


def test_groups_are_the_same_however_rollouts_come(run: LiveRun, tmp_path: Path) -> None:
    at_once = run.session(Stage.model_validate(STAGE))
    other = LiveRun(tmp_path / "other")
    try:
        session = other.session(Stage.model_validate(STAGE))
        one_by_one = session.collect(lambda tasks: iter(answering(session, half)(tasks)))
        all_together = at_once.collect(answering(at_once, half))
        assert told(one_by_one.groups) == told(all_together.groups)
    finally:
        other.scorer.close()


def test_what_was_not_asked_for_is_not_judged(run: LiveRun) -> None:
    judged = _background(run)
    session = run.session(Stage.model_validate(STAGE))
    (first, *_) = answering(session, half)(session.next_tasks(1))
    with pytest.raises(TrainingError, match="was not handed out"):
        session.offer(replace(first, key=replace(first.key, task="another")))
    assert not judged


def test_exits_see_no_step_of_which_nothing_could_be_judged(run: LiveRun) -> None:
    """Its pass rate is of no sample, and would look like a loss of all that was learned."""

    class Exiting(RoundRobin):
        told: tuple[int, ...] = ()

        def finished(self, history: Sequence[StepMetrics]) -> str | None:
            self.told = tuple(step.step for step in history)
            return None

    def session() -> StageSession:
        return run.session(Stage.model_validate(STAGE), curriculum=curriculum)

    curriculum = Exiting()
    one = session()
    good = answering(one, half)

    def lost(tasks: Sequence[Task]) -> list[Rollout]:
        return [replace(r, finish="abort", text="", reason="no server answers") for r in good(tasks)]

    for generate in (good, lost, good):
        one.collect(generate)
        one.finish_step(metrics(one))
    assert curriculum.told == (1, 3)
    assert [step.step for step in one.history] == [1, 2, 3]
    run.ledger.close()
    again = session()
    again.load_state_dict(one.state_dict())
    again.stop_reason()
    assert curriculum.told == (1, 3), "after a resume, too"
