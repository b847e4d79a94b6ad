"""The loop of a stage, the same for every trainer.

A step collects groups, updates the weights, reports its numbers, and does what the session then says:
evaluate, save, stop. What is live inside a stage has a name (stage and step) but no hash, because it is not
on disk; a stage that ends is saved, once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.contract.errors import TrainingError
from harness.contract.protocols import Policy
from harness.contract.records import PolicyRef, StepMetrics, Task
from harness.contract.sessions import Batch, Generated, GroupStream, Session
from harness.recipe import Stage
from harness.training.backend import Backend, Step, Update, Weights, refusal
from harness.training.metrics import answer_metrics, group_metrics
from harness.training.phases import Phases

#: Where a checkpoint's folder has the model.
MODEL = "model"


def drive(
    stage: Stage,
    policy: Policy,
    session: Session,
    backend: Backend,
    *,
    clock: Callable[[], float] = time.process_time,
) -> Policy:
    """Run a stage to its end; returns its policy, which is on disk.

    Args:
        policy: what the live weights are: where the stage begins, or its checkpoint when it is resumed.
        clock: CPU seconds so far, if other processes than this one do the work.

    Raises:
        TrainingError: the stage's kind is not for this backend, or what the backend and the session raise.
    """
    course = Drive(stage, policy, session, backend, clock=clock)
    take = {"rl": _reinforce, "sft": _fit}.get(stage.kind)
    if take is None:
        raise refusal(stage)
    while not take(course, backend):
        pass
    return course.policy


def _reinforce(course: Drive, backend: Backend) -> bool:
    batch = course.begin()
    return batch is None or course.end(batch, backend.update(batch, course.step))


def _fit(course: Drive, backend: Backend) -> bool:
    tasks = course.answers()
    return course.end(None, backend.fit(tasks, course.step))


class Drive:
    """The steps of one stage. `drive` takes them; a framework with a loop of its own calls the two halves
    from its callbacks: `begin` where it asks for a batch, `end` after the update."""

    def __init__(
        self,
        stage: Stage,
        policy: Policy,
        session: Session,
        weights: Weights,
        *,
        clock: Callable[[], float] = time.process_time,
    ) -> None:
        #: The last policy on disk.
        self.policy = policy
        self._stage, self._session, self._weights, self._clock = stage, session, weights, clock
        #: Steps of the stage that are done, and those of the last checkpoint.
        self._done = self._saved = session.first_step
        self.step = self._next_step()

    def begin(self) -> Batch | None:
        """Collect the groups of the next step. None: there is nothing left to learn from; the stage is
        saved, and over."""
        self.step = self._next_step()
        batch = self._session.collect(self._generate)
        if batch.groups:
            return batch
        if self._saved != self._done:
            self._save()
        return None

    def answers(self) -> Sequence[Task]:
        """The tasks of the next step of supervised fine-tuning."""
        self.step = self._next_step()
        tasks = self._session.next_tasks(self._stage.rollout.batch)
        if not tasks:
            raise TrainingError("the session has no more tasks", where=self.step.where)
        return tasks

    def end(self, batch: Batch | None, update: Update) -> bool:
        """Report the step and do what the session says; returns whether the stage is over.

        Args:
            batch: what `begin` gave; None after a step of supervised fine-tuning.
        """
        directive = self._session.finish_step(self._metrics(batch, update))
        self._done = self.step.number
        if directive.evaluate:
            self._session.evaluate(self._weights.engine(self._name()))
        if directive.checkpoint or directive.stop is not None:
            self._save()
        return directive.stop is not None

    def _next_step(self) -> Step:
        return Step(self._stage, self._session, self._done + 1, self._name(), Phases(self._clock))

    def _name(self) -> PolicyRef:
        """The live weights' name; with its hash if they are on disk."""
        known = self.policy.ref
        if not self._done or (known.stage, known.step) == (self._stage.name, self._done):
            return known
        return PolicyRef(weights_sha="", stage=self._stage.name, step=self._done)

    def _generate(self, tasks: Sequence[Task]) -> Generated:
        phases = self.step.phases
        with phases("generate"):
            produced = self._weights.generate(tasks, self.step)
        if isinstance(produced, GroupStream):
            return GroupStream(_timed(produced.groups, phases))
        return produced if isinstance(produced, Sequence) else _timed(produced, phases)

    def _metrics(self, batch: Batch | None, update: Update) -> StepMetrics:
        step = self.step
        plain = (
            answer_metrics(self._stage.name, step.number, update.pass_rate)
            if batch is None
            else group_metrics(self._stage.name, step.number, batch)
        )
        return replace(
            plain,
            loss=update.loss,
            grad_norm=update.grad_norm,
            kl=update.kl,
            entropy=update.entropy,
            learning_rate=step.rate if update.learning_rate is None else update.learning_rate,
            cpu_seconds=step.phases.cpu_seconds,
            seconds=step.phases.seconds,
            extra={**update.extra, **step.phases.fields()},
        )

    def _save(self) -> None:
        parent = Path()

        def write(scratch: Path) -> PolicyRef:
            nonlocal parent
            # What is written is moved when it is complete.
            parent = scratch.parent
            sha = self._weights.save(scratch, self.policy)
            return PolicyRef(weights_sha=sha, stage=self._stage.name, step=self._done)

        saved = self._session.save(write)
        folder = parent / Path(saved.path).name
        files = replace(self.policy.files, path=folder / MODEL, weights_sha=saved.policy.weights_sha)
        self.policy, self._saved = Policy(saved.policy, files, folder), self._done


def _timed(produced: Any, phases: Phases) -> Any:
    """The same iterator or generator, its time charged to `generate`."""
    with phases("generate"):
        return (yield from produced)
