"""What a trainer sees of the harness: tasks out, rollouts in, rewards back, stop.

One session serves one stage. Verification, rewards, curriculum and ledger live here, in the driver,
whatever process the trainer runs in: one writer, one verifier environment, one truth. The order of
a step is fixed (draw, generate, verify, reward, shape, observe, gate, record), so all trainers feel
the same curriculum.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from harness.advantages import group_advantages
from harness.checkpoints import CheckpointStore
from harness.collecting import collect
from harness.errors import TrainingError
from harness.events import Events
from harness.generation import GivenRollouts
from harness.judged import LOST_STEPS, Judged
from harness.ledger import Ledger
from harness.pool import StagePool, TaskPool
from harness.protocols import (
    Batch,
    Curriculum,
    CurriculumContext,
    Directive,
    Engine,
    Gate,
    Generate,
    RunInfo,
    Shaper,
)
from harness.recipe import Budget, Conventions, Stage
from harness.records import (
    Checkpoint,
    Difficulty,
    Group,
    PolicyRef,
    Request,
    Rollout,
    RolloutKey,
    StepMetrics,
    Task,
    Verdict,
    builtins,
    convert,
    unjudged,
)
from harness.rewards import reduction
from harness.scoring import Scorer
from harness.seeds import generator
from harness.spending import Spent, budget_reason, remaining_rollouts, until_reason

#: Refills of a step when its gates do not say how many they want.
DEFAULT_REFILLS: Final = 8


@dataclass(frozen=True, slots=True)
class StageParts:
    """The plugin objects of one stage."""

    curriculum: Curriculum
    gates: Sequence[Gate] = ()
    shapers: Sequence[Shaper] = ()


@dataclass(frozen=True, slots=True)
class RunParts:
    """What all stages of a run share."""

    info: RunInfo
    ledger: Ledger
    events: Events
    scorer: Scorer
    pool: TaskPool
    spent: Spent
    budget: Budget
    checkpoints: CheckpointStore
    checkpoint_every: int
    evaluate_every: int | None
    keep_rollouts: bool
    #: Share of a training outcome that survives each further step as a label (`difficulty.reuse`).
    reuse: float
    #: Evaluates held-out tasks: (name, stage, step, engine) -> scores.
    evaluate: Callable[[str, str, int, Engine], Mapping[str, float]]
    evaluation_requests: Callable[[str, str, int], Sequence[Request]]


class StageSession:
    """The in-process session of one stage (protocol `Session`)."""

    def __init__(
        self,
        run: RunParts,
        stage: Stage,
        conventions: Conventions,
        parts: StageParts,
        subjects: Sequence[str],
        labels: Mapping[str, Difficulty],
    ) -> None:
        self.stage, self.conventions = stage, conventions
        self._run, self._parts = run, parts
        self._pool = StagePool(run.pool, subjects, labels)
        self._mixture = _mixture(run.pool, stage, self._pool)
        self._reward = reduction(stage.reward, where=f"stages.{stage.name}.reward")
        self._start = run.spent.copy()
        self.history: list[StepMetrics] = []
        #: Decayed outcomes of training by subject: (samples, passes), labels for free.
        self.outcomes: dict[str, tuple[float, float]] = {}
        self.first_step = 0
        limits = [getattr(gate, "max_refills", DEFAULT_REFILLS) for gate in parts.gates]
        #: How often a step may draw again for groups that its gates discarded.
        self.max_refills: int = min(limits) if limits else 0
        self._exhausted: str | None = None
        self._step = 1
        self._draws = 0
        self._tasks: dict[str, Task] = {}
        self._times_drawn: dict[str, int] = defaultdict(int)
        #: Verdicts under way of completions that were offered and not yet submitted.
        self._begun: dict[RolloutKey, Future[Verdict]] = {}
        self._judged = Judged()
        #: Steps in a row of which nothing could be judged.
        self._lost = 0
        self.last_checkpoint: Checkpoint | None = None
        #: Told what has just been achieved; the stage's watchdog listens.
        self.progress: Callable[[str], None] = _unheard

    # Tasks out ------------------------------------------------------------------------------------

    def next_tasks(self, count: int) -> Sequence[Task]:
        """Tasks for the current step, at most what the budget still allows."""
        left = remaining_rollouts(self._run.budget, self._run.spent)
        if left is not None:
            count = min(count, left // self.stage.rollout.n)
        tasks: list[Task] = []
        for pool, wanted in zip(self._mixture.pools, self._mixture.split(count), strict=True):
            if wanted:
                tasks += self._draw(pool, wanted)
        for task in tasks:
            self._tasks[task.id] = task
        return tasks

    def _draw(self, pool: StagePool, count: int) -> Sequence[Task]:
        self._draws += 1
        rng = generator(self._run.info.stream, "curriculum", self.stage.name, self._step, self._draws)
        context = CurriculumContext(self.stage.name, self._step, pool, rng)
        return self._parts.curriculum.next(count, context)

    def requests(self, tasks: Sequence[Task]) -> Sequence[Sequence[Request]]:
        """G keyed requests a task. A task met twice in one step gets the next G sample numbers."""
        out = []
        n = self.stage.rollout.n
        for task in tasks:
            first = self._times_drawn[task.id] * n
            self._times_drawn[task.id] += 1
            out.append(
                [
                    Request(
                        RolloutKey(
                            self._run.info.stream, "train", self.stage.name, self._step, task.id, first + i
                        ),
                        task.prompt,
                        self.stage.rollout.sampling,
                    )
                    for i in range(n)
                ]
            )
        return out

    # Rollouts in, rewards back --------------------------------------------------------------------

    def offer(self, rollout: Rollout) -> None:
        """Begin to judge a completion while others are generated; waits where too many are being judged."""
        task = self._tasks.get(rollout.key.task)
        if task is None:
            raise TrainingError(
                f"task {rollout.key.task!r} was not handed out in this step", where="session.offer"
            )
        if rollout.key not in self._begun:
            self._begun[rollout.key] = self._run.scorer.begin(task, rollout)

    def submit(self, rollouts: Sequence[Rollout]) -> Sequence[Group]:
        """Judge complete groups; the kept ones come back with advantages, in order of arrival."""
        n = self.stage.rollout.n
        by_group: dict[tuple[str, int], list[Rollout]] = defaultdict(list)
        for rollout in rollouts:
            by_group[rollout.key.task, rollout.key.sample // n].append(rollout)
        for (task_id, _), members in by_group.items():
            if task_id not in self._tasks:
                raise TrainingError(
                    f"task {task_id!r} was not handed out in this step", where="session.submit"
                )
            if len(members) != n:
                raise TrainingError(
                    f"task {task_id!r} came back with {len(members)} rollouts", where="session.submit",
                    allowed=f"groups of {n}",
                )  # fmt: skip
            members.sort(key=lambda r: r.key.sample)
        flat = [(self._tasks[task_id], r) for (task_id, _), members in by_group.items() for r in members]
        for _, rollout in flat:
            self.offer(rollout)
        begun = [self._begun.pop(rollout.key) for _, rollout in flat]
        verdicts = [future.result() for future in begun]
        groups = []
        for i, ((task_id, _), members) in enumerate(by_group.items()):
            judged = verdicts[i * n : (i + 1) * n]
            for rollout, verdict in zip(members, judged, strict=True):
                if unjudged(rollout, verdict):
                    self._judged.fault(rollout, verdict)
                    self._run.events.emit(
                        "sample_failed", run=self._run.info, rollout=rollout, verdict=verdict
                    )
            rewards = tuple(
                None if rollout.finish == "abort" else self._reward(verdict)
                for rollout, verdict in zip(members, judged, strict=True)
            )
            groups.append(
                Group(
                    task=task_id,
                    subject=self._tasks[task_id].subject,
                    step=self._step,
                    rollouts=tuple(members),
                    statuses=tuple(v.status for v in judged),
                    scores=tuple(v.score for v in judged),
                    rewards=rewards,
                    lengths=tuple(r.tokens for r in members),
                    truncated=tuple(r.truncated for r in members),
                )
            )
        return self.submit_outcomes(groups)

    def submit_outcomes(self, groups: Sequence[Group]) -> Sequence[Group]:
        """Shape, normalise, observe, gate and record groups that carry rewards."""
        kept = []
        conventions, run = self.conventions, self._run
        for raw in groups:
            group = raw
            self._judged.add(group)
            label = self._pool.labels.get(group.subject)
            for shaper in self._parts.shapers:
                group = replace(group, rewards=tuple(shaper.rewards(group, label)))
            group = replace(
                group,
                advantages=group_advantages(
                    group.rewards, epsilon=conventions.advantage_epsilon, std=conventions.std
                ),
            )
            for shaper in self._parts.shapers:
                group = replace(group, advantages=tuple(shaper.advantages(group, label)))
            self._parts.curriculum.observe(group)
            keep = all(gate.keep(group) for gate in self._parts.gates)
            if keep:
                kept.append(group)
            self._account(group)
            recorded = group if run.keep_rollouts else replace(group, rollouts=None)
            run.ledger.append("group", stage=self.stage.name, kept=keep, group=recorded)
        self.progress(f"{len(groups)} groups of step {self._step} were judged")
        return kept

    def _account(self, group: Group) -> None:
        self._run.spent.rollouts += group.size
        self._run.spent.tokens += sum(group.lengths)
        if self._run.reuse:
            # As a measurement counts: neither what could not be judged nor what was aborted is a sample.
            rollouts = group.rollouts or (None,) * group.size
            judged = [
                status == "pass"
                for status, rollout in zip(group.statuses, rollouts, strict=True)
                if status != "infra_error" and not (rollout is not None and rollout.finish == "abort")
            ]
            samples, passes = self.outcomes.get(group.subject, (0.0, 0.0))
            self.outcomes[group.subject] = (samples + len(judged), passes + sum(judged))

    def collect(self, generate: Generate) -> Batch:
        """Draw, generate and submit until the step's batch is full or the refills are used up."""
        return collect(self, generate)

    def exhaust(self, reason: str) -> None:
        """End the stage after the steps done so far.

        Raises:
            TrainingError: no step was done yet, so the stage was wrong from the start; or nothing of the
                step could be judged, which says nothing about what is left to learn.
        """
        self._judged.check(self._where)
        if not self.steps_done:
            raise TrainingError(
                reason,
                where=self._where,
                hint="select tasks that the policy solves sometimes, or raise the gate's max_refills",
            )
        self._exhausted = reason

    # The end of a step ----------------------------------------------------------------------------

    def finish_step(self, metrics: StepMetrics) -> Directive:
        """Record a step durably and say what comes next.

        Raises:
            TrainingError: the step is not the one that was due, its numbers are not finite, or nothing could
                be judged of it nor of the steps before it.
        """
        run, stage = self._run, self.stage
        self._lost = self._lost + 1 if self._judged.nothing else 0
        if self._lost >= LOST_STEPS:
            self._judged.check(f"{self._where}, the last of {self._lost} in a row")
        if metrics.step != self._step or metrics.stage != stage.name:
            raise TrainingError(
                f"step {metrics.step} of stage {metrics.stage!r} was reported", where="session.finish_step",
                allowed=f"step {self._step} of {stage.name!r}",
            )  # fmt: skip
        for name in ("loss", "grad_norm", "reward_mean"):
            value = getattr(metrics, name)
            if value is not None and not math.isfinite(value):
                raise TrainingError(
                    f"{name} is {value} at step {metrics.step} of stage {stage.name!r}",
                    hint="lower the learning rate, or resume from the last checkpoint with other settings",
                )
        metrics = replace(metrics, unjudged=self._judged.missing)
        run.spent.cpu_seconds += metrics.cpu_seconds
        if run.reuse:
            self.outcomes = {
                k: (n * run.reuse, p * run.reuse)
                for k, (n, p) in self.outcomes.items()
                if n * run.reuse > 0.05
            }
        run.ledger.append("step", metrics=metrics, **run.spent.fields())
        run.ledger.commit()
        self.history.append(metrics)
        run.events.emit("step_finished", run=run.info, metrics=metrics)
        self.progress(f"step {self._step} was finished")
        step = self._step
        self._step += 1
        stop = self.stop_reason()
        self._draws = 0
        self._tasks.clear()
        self._begun.clear()
        self._judged = Judged()
        self._times_drawn.clear()
        due = run.evaluate_every is not None and step % run.evaluate_every == 0
        return Directive(
            evaluate=due and stop is None, checkpoint=step % run.checkpoint_every == 0, stop=stop
        )

    def stop_reason(self) -> str | None:
        """Why the stage is over after the steps done so far, or None."""
        run, stage = self._run, self.stage
        return (
            self._exhausted
            or budget_reason(run.budget, run.spent, stage.rollout.n)
            or until_reason(stage.until, run.spent.since(self._start), self.steps_done, stage.max_steps)
            or self._parts.curriculum.finished(self.history)
        )

    @property
    def steps_done(self) -> int:
        return self._step - 1

    @property
    def _where(self) -> str:
        return f"stage {self.stage.name!r}, step {self._step}"

    def evaluate(self, engine: Engine) -> Mapping[str, float]:
        """Score the held-out tasks with the engine's live weights."""
        scores = self._run.evaluate("inside", self.stage.name, self.steps_done, engine)
        self.progress(f"step {self.steps_done} was evaluated")
        return scores

    def evaluation_requests(self) -> Sequence[Request]:
        """What `evaluate` would ask its engine, for a trainer that generates elsewhere."""
        return self._run.evaluation_requests("inside", self.stage.name, self.steps_done)

    def submit_evaluation(self, rollouts: Sequence[Rollout]) -> Mapping[str, float]:
        """The scores of the answers to `evaluation_requests`."""
        return self.evaluate(GivenRollouts(rollouts))

    # Checkpoints ----------------------------------------------------------------------------------

    def save(self, write: Callable[[Path], PolicyRef]) -> Checkpoint:
        """Make a durable checkpoint of the trainer and of this session."""
        scratch = self.begin_save()
        return self.end_save(scratch, write(scratch))

    def begin_save(self) -> Path:
        """A scratch folder for the trainer to fill (the first half of `save`)."""
        return self._run.checkpoints.begin(self.stage.name, self.steps_done)

    def end_save(self, scratch: Path, policy: PolicyRef) -> Checkpoint:
        """Make it durable (the second half of `save`)."""
        run = self._run
        path = run.checkpoints.finish(scratch, self.state_dict())
        checkpoint = Checkpoint(policy=policy, path=path)
        run.ledger.append("checkpoint", stage=self.stage.name, step=self.steps_done, checkpoint=checkpoint)
        run.ledger.commit()
        run.checkpoints.prune(self.stage.name)
        self.last_checkpoint = checkpoint
        run.events.emit("checkpoint_saved", run=run.info, checkpoint=checkpoint)
        self.progress(f"step {self.steps_done} was saved")
        return checkpoint

    def state_dict(self) -> dict[str, Any]:
        """All that a resume inside this stage needs besides the trainer's own state."""
        return {
            "stage": self.stage.name,
            "step": self.steps_done,
            "pool": self._run.pool.state_dict(),
            "curriculum": self._parts.curriculum.state_dict(),
            "gates": [_state(gate) for gate in self._parts.gates],
            "shapers": [_state(shaper) for shaper in self._parts.shapers],
            "spent": builtins(self._run.spent),
            "start": builtins(self._start),
            "exhausted": self._exhausted,
            "mixture": list(self._mixture.given),
            "history": builtins(self.history),
            "outcomes": {k: list(v) for k, v in self.outcomes.items()},
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a checkpoint of this stage."""
        self._run.pool.load_state_dict(state["pool"])
        self._parts.curriculum.load_state_dict(state["curriculum"])
        for part, known in zip(
            (*self._parts.gates, *self._parts.shapers),
            (*state.get("gates", ()), *state.get("shapers", ())),
            strict=False,
        ):
            if known is not None:
                part.load_state_dict(known)  # type: ignore[attr-defined]
        spent = convert(state["spent"], Spent)
        run_spent = self._run.spent
        run_spent.rollouts, run_spent.tokens, run_spent.cpu_seconds = (
            spent.rollouts, spent.tokens, spent.cpu_seconds,
        )  # fmt: skip
        self._start = convert(state["start"], Spent)
        self.history = convert(state["history"], list[StepMetrics])
        self._exhausted = state["exhausted"]
        self._mixture.given = list(state["mixture"])
        self.outcomes = {k: (float(v[0]), float(v[1])) for k, v in state["outcomes"].items()}
        self.first_step = int(state["step"])
        self._step = self.first_step + 1


def _unheard(did: str) -> None:
    """Nobody listens for progress."""


def _state(part: Gate | Shaper) -> dict[str, Any] | None:
    """The state of a gate or shaper that has one."""
    kept = getattr(part, "state_dict", None)
    return None if kept is None else dict(kept())


@dataclass(slots=True)
class _Mixture:
    """The parts of a batch: one pool a tag or domain, with its share and how many tasks it gave so far."""

    pools: Sequence[StagePool]
    shares: Sequence[float]
    given: list[int]

    def split(self, count: int) -> list[int]:
        """How many of the next `count` tasks each part gives: one by one from the part furthest behind its
        share, so that shares hold over steps, refills included."""
        before = list(self.given)
        for _ in range(count):
            total = sum(self.given) + 1
            behind = [share * total - given for share, given in zip(self.shares, self.given, strict=True)]
            self.given[behind.index(max(behind))] += 1
        return [after - start for after, start in zip(self.given, before, strict=True)]


def _mixture(pool: TaskPool, stage: Stage, selected: StagePool) -> _Mixture:
    if not stage.mixture:
        return _Mixture((selected,), (1.0,), [0])
    about = [pool.describe(subject) for subject in selected.subjects]
    pools = []
    for name in stage.mixture:
        members = [a.id for a in about if name in a.tags or name == a.domain]
        if not members:
            raise TrainingError(
                f"no selected subject has the tag or domain {name!r}", where=f"stages.{stage.name}.mixture"
            )
        pools.append(StagePool(pool, members, selected.labels))
    total = sum(stage.mixture.values())
    return _Mixture(pools, [share / total for share in stage.mixture.values()], [0] * len(pools))
