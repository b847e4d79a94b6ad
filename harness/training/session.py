"""What a trainer sees of the harness: tasks out, rollouts in, rewards back, stop.

One session serves one stage. Verification, rewards, curriculum and ledger live here, in the driver,
whatever process the trainer runs in: one writer, one verifier environment, one truth. Which tasks are
drawn is in `drawing`, how groups are judged in `judging`; here is the order of a step.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

from harness.contract.errors import TrainingError
from harness.contract.judged import LOST_STEPS, Judged
from harness.contract.members import member
from harness.contract.protocols import Engine, RunInfo, Slot
from harness.contract.records import (
    Checkpoint,
    Difficulty,
    PolicyRef,
    Request,
    Rollout,
    StepMetrics,
    Task,
    builtins,
    convert,
)
from harness.contract.samples import Group
from harness.contract.sessions import Batch, Directive, Generate
from harness.plugging.events import Events
from harness.recipe import Budget, Conventions, Stage
from harness.recording.checkpoints import CheckpointStore
from harness.recording.groups import Detail, group_line
from harness.recording.ledger import Ledger
from harness.recording.spending import Spent, budget_reason, remaining_rollouts, until_reason
from harness.scoring import Scorer
from harness.scoring.generation import GivenRollouts
from harness.tasks.pool import StagePool, TaskPool
from harness.training import state
from harness.training.collecting import collect
from harness.training.drawing import Drawing
from harness.training.judging import Judging, StageParts
from harness.training.store import GroupStore


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
    #: How much of each group the ledger keeps.
    detail: Detail
    #: Share of a training outcome that survives each further step as a label (`difficulty.reuse`).
    reuse: float
    #: Evaluates held-out tasks: (name, stage, step, engine) -> scores.
    evaluate: Callable[[str, str, int, Engine], Mapping[str, float]]
    evaluation_requests: Callable[[str, str, int], Sequence[Request]]
    #: Builds the engine that a stage is sampled through, over the trainer's own; None if that is all.
    sampler: Callable[[Stage, Callable[[], Engine]], Engine | None]


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
        self.stream = run.info.stream
        self._run, self._parts = run, parts
        selected = StagePool(run.pool, subjects, labels)
        self._store = None if stage.replay is None else GroupStore(stage.replay.keep)
        self._drawing = Drawing(run.info.stream, stage, run.pool, selected, parts.curriculum, self._store)
        self._judging = Judging(stage, conventions, parts, labels, run.scorer, self._drawing)
        self._start = run.spent.copy()
        self.history: list[StepMetrics] = []
        #: The steps of which anything could be judged: a pass rate of nothing decides nothing.
        self._judged_steps: list[StepMetrics] = []
        #: Decayed outcomes of training by subject: (samples, passes), labels for free.
        self.outcomes: dict[str, tuple[float, float]] = {}
        self.first_step = 0
        limits = [int(member("gates", gate, "max_refills")) for gate in parts.gates]
        #: How often a step may draw again for groups that its gates discarded.
        self.max_refills: int = min(limits) if limits else 0
        self._exhausted: str | None = None
        self._step = 1
        self._judged = Judged()
        #: Values of the rewards that are kept beside, by name, of this step.
        self._beside: dict[str, list[float]] = {}
        #: Steps in a row of which nothing could be judged.
        self._lost = 0
        self.last_checkpoint: Checkpoint | None = None
        #: Told what has just been achieved; the stage's watchdog listens.
        self.progress: Callable[[str], None] = _unheard

    # Tasks out ------------------------------------------------------------------------------------

    def next_tasks(self, count: int) -> Sequence[Task]:
        """Tasks for the current step, at most what the budget still allows."""
        return self._drawing.next(count, self._step, self._rollouts_left)

    def more_tasks(self) -> Sequence[Task]:
        """Tasks of this step whose groups the curriculum wants to extend."""
        answered = self._judging.answered
        wanted = member("curricula", self._parts.curriculum, "more")
        asks = list(wanted(answered, self._drawing.context(self._step, "more")))
        return self._drawing.more(asks, answered, self._rollouts_left) if asks else ()

    def slots(self, tasks: Sequence[Task]) -> Sequence[Slot]:
        """Each task's next samples."""
        return self._drawing.slots(tasks)

    def requests(self, tasks: Sequence[Task]) -> Sequence[Sequence[Request]]:
        """Keyed requests for each task's next samples."""
        return [self._drawing.requests(slot, self._step) for slot in self._drawing.slots(tasks)]

    @property
    def _rollouts_left(self) -> int | None:
        return remaining_rollouts(self._run.budget, self._run.spent)

    # Rollouts in, rewards back --------------------------------------------------------------------

    def offer(self, rollout: Rollout) -> None:
        """Begin to judge a completion while others are generated; waits if too many are being judged."""
        self._judging.offer(rollout)

    def submit(self, rollouts: Sequence[Rollout]) -> Sequence[Group]:
        """Judge complete groups; the kept ones come back with advantages, in order of arrival."""
        groups = self._judging.groups(rollouts, self._step)
        for group in groups:
            for sample in group.fresh:
                if not sample.judged:
                    assert sample.rollout is not None
                    self._judged.fault(sample.rollout, sample.verdict)
                    self._run.events.emit(
                        "sample_failed", run=self._run.info, rollout=sample.rollout, verdict=sample.verdict
                    )
        return self._settled(groups)

    def submit_outcomes(self, groups: Sequence[Group]) -> Sequence[Group]:
        """As `submit`, of groups that carry verdicts and rewards."""
        return self._settled([self._judging.joined(group) for group in groups])

    def _settled(self, groups: Sequence[Group]) -> Sequence[Group]:
        """Shape, normalise, observe, gate and record judged groups; returns the kept ones."""
        kept = []
        for raw in groups:
            self._judged.add(raw)
            group, keep = self._judging.finished(raw)
            if keep:
                kept.append(group)
            self._account(group)
            self._record(group, keep)
        self.progress(f"{len(groups)} groups of step {self._step} were judged")
        return kept

    def replayed(self, kept: Sequence[Group]) -> Sequence[Group]:
        """Groups of the store that join the step's batch, with advantages; the store then takes `kept`."""
        if self._store is None:
            return ()
        name = self.stage.curriculum.name
        wanted = member("curricula", self._parts.curriculum, "replay")(
            kept, self._drawing.context(self._step, "replay")
        )
        replayed = [
            self._judging.normalised(self._store.checked(replace(group, step=self._step), name))
            for group in wanted
        ]
        for group in replayed:
            self._record(group, True)
        self._store.add(self._judging.as_judged(group) for group in kept if group.mixed)
        return replayed

    def _record(self, group: Group, keep: bool) -> None:
        line = group_line(group, self._run.detail)
        self._run.ledger.append("group", stage=self.stage.name, kept=keep, group=line)

    def _account(self, group: Group) -> None:
        fresh, spent = group.fresh, self._run.spent
        spent.rollouts += len(fresh)
        spent.tokens += sum([sample.generated for sample in fresh])
        for sample in fresh:
            if sample.rollout is not None:
                spent.pay(sample.rollout.cost, sample.rollout.source)
        for sample in fresh:
            for name, value in sample.metrics.items():
                if value is not None:
                    self._beside.setdefault(name, []).append(value)
        if self._run.reuse:
            # As a measurement counts: what could not be judged is no sample.
            judged = [sample.verdict.status == "pass" for sample in fresh if sample.judged]
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
        beside = {f"reward/{name}": fmean(values) for name, values in self._beside.items()}
        metrics = replace(metrics, unjudged=self._judged.missing, extra={**metrics.extra, **beside})
        run.spent.cpu_seconds += metrics.cpu_seconds
        if run.reuse:
            self.outcomes = {
                k: (n * run.reuse, p * run.reuse)
                for k, (n, p) in self.outcomes.items()
                if n * run.reuse > 0.05
            }
        run.ledger.append("step", metrics=metrics, **run.spent.as_fields())
        run.ledger.commit()
        self._remember(metrics)
        run.events.emit("step_finished", run=run.info, metrics=metrics)
        self.progress(f"step {self._step} was finished")
        step = self._step
        self._step += 1
        stop = self.stop_reason()
        if stop and self._lost >= self.steps_done:
            self._judged.check(f"{self._where}, of which no step was judged")
        self._drawing.begin()
        self._judging.begin()
        self._judged = Judged()
        self._beside = {}
        due = run.evaluate_every is not None and step % run.evaluate_every == 0
        return Directive(
            evaluate=due and stop is None, checkpoint=step % run.checkpoint_every == 0, stop=stop
        )

    def _remember(self, metrics: StepMetrics) -> None:
        self.history.append(metrics)
        if metrics.unjudged < 1:
            self._judged_steps.append(metrics)

    def stop_reason(self) -> str | None:
        """Why the stage is over after the steps done so far, or None."""
        run, stage = self._run, self.stage
        return (
            self._exhausted
            or budget_reason(run.budget, run.spent, stage.rollout.n)
            or until_reason(stage.until, run.spent.since(self._start), self.steps_done, stage.max_steps)
            or self._parts.curriculum.finished(self._judged_steps)
        )

    @property
    def steps_done(self) -> int:
        return self._step - 1

    @property
    def _where(self) -> str:
        return f"stage {self.stage.name!r}, step {self._step}"

    def sampler(self, own: Callable[[], Engine]) -> Engine | None:
        """The engine that `rollout.engine` names, over the trainer's own; None if that is the own one."""
        return self._run.sampler(self.stage, own)

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
            "parts": state.of_parts(self._parts),
            "store": None if self._store is None else self._store.state_dict(),
            "spent": builtins(self._run.spent),
            "start": builtins(self._start),
            "exhausted": self._exhausted,
            "mixture": list(self._drawing.mixture.given),
            "history": builtins(self.history),
            "outcomes": {k: list(v) for k, v in self.outcomes.items()},
        }

    def load_state_dict(self, kept: Mapping[str, Any]) -> None:
        """Go on from a checkpoint of this stage."""
        self._run.pool.load_state_dict(kept["pool"])
        state.restore_parts(self._parts, kept["parts"])
        if self._store is not None and kept["store"] is not None:
            self._store.load_state_dict(kept["store"])
        spent = convert(kept["spent"], Spent)
        run_spent = self._run.spent
        run_spent.restore(spent)
        self._start = convert(kept["start"], Spent)
        self.history, self._judged_steps = [], []
        for metrics in convert(kept["history"], list[StepMetrics]):
            self._remember(metrics)
        self._exhausted = kept["exhausted"]
        self._drawing.mixture.given = list(kept["mixture"])
        self.outcomes = {k: (float(v[0]), float(v[1])) for k, v in kept["outcomes"].items()}
        self.first_step = int(kept["step"])
        self._step = self.first_step + 1


def _unheard(did: str) -> None:
    """Nobody listens for progress."""
