"""Trainer `sim`: a SIMULATION of policy-gradient training, at a hundred thousand rollouts per second.

The student's ability takes the step of the score-function gradient that a real trainer would estimate,
    theta += gain * lr * mean over rollouts of A * d log P(outcome) / d theta,
    d log P(outcome) / d theta = a (outcome - P(right)) / temperature,
with the advantages A that the session computed. Unless a shaper gives it some, a group whose outcomes are
all equal has none and so teaches nothing: that is what curricula can gain from. Nothing is ever forgotten,
and one ability serves all items; both make selection look better than it is on a real model.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from harness.contract import (
    Batch,
    BuildContext,
    Engine,
    Group,
    Policy,
    PolicyRef,
    RolloutKey,
    Sample,
    Session,
    Task,
    Verdict,
)
from harness.recipe import Stage
from harness.training import Backend, Step, Update
from harness.training.drive import drive
from harness_sim.engine import SimEngine
from harness_sim.items import parameters
from harness_sim.options import SimTrainerOptions
from harness_sim.student import MODEL, Floats, Student, draws, group_seed, student_of, write

#: Nothing was judged: the simulation draws outcomes.
_HASH = "simulated"
#: By 2 * passed + cut; what was cut never passes.
_VERDICTS = (
    Verdict(status="fail", score=0.0, verifier="sim", verifier_hash=_HASH),
    Verdict(status="no_answer", score=0.0, verifier="sim", verifier_hash=_HASH),
    Verdict(status="pass", score=1.0, verifier="sim", verifier_hash=_HASH),
)


class SimTrainer:
    """Trains the simulated student (protocol `Trainer`). The policy on disk is all of its state."""

    def __init__(self, options: SimTrainerOptions, context: BuildContext | None = None) -> None:
        self.options = options
        self._engine = SimEngine()

    def train(self, stage: Stage, policy: Policy, session: Session) -> Policy:
        backend = _Stage(self.options, self._engine, stage, student_of(policy))
        return drive(stage, policy, session, backend)

    def engine(self, policy: Policy) -> Engine:
        self._engine.sync_weights(policy)
        return self._engine

    def close(self) -> None:
        self._engine.close()


class _Stage(Backend):
    """One stage's student and its updates (protocol `Backend`)."""

    def __init__(self, options: SimTrainerOptions, engine: SimEngine, stage: Stage, student: Student) -> None:
        self.options, self.stage, self.student = options, stage, student
        self._engine = engine
        #: The current step and its items by task.
        self.number = 0
        self.items: dict[str, tuple[float, float]] = {}

    def engine(self, policy: PolicyRef) -> Engine:
        """A student's hash costs nothing: its name has one inside a stage, too."""
        self._engine.use(self.student, replace(policy, weights_sha=self.student.sha))
        return self._engine

    def save(self, folder: Path, before: Policy) -> str:
        write(self.student, folder / MODEL)
        return self.student.sha

    def update(self, batch: Batch, step: Step) -> Update:
        gradient = self._gradient(batch.groups)
        ability = self.student.ability + self.options.gain * step.rate * gradient
        self.student = replace(self.student, ability=ability)
        return Update(grad_norm=abs(gradient), extra={"simulated": 1.0, "ability": ability})

    def generate(self, tasks: Sequence[Task], step: Step) -> list[Group]:
        """All groups of a call in one draw of arrays (groups * G,)."""
        if self.number != step.number:
            self.number = step.number
            self.items.clear()
        slots, sampling = step.session.slots(tasks), self.stage.rollout.sampling
        items, seeds, numbers = [], [], []
        for slot in slots:
            task = slot.task
            items.append(self.items.setdefault(task.id, parameters(task.prompt)))
            key = RolloutKey(step.session.stream, "train", self.stage.name, step.number, task.id, 0)
            seeds.append(group_seed(key, task.id))
            numbers.append(np.arange(slot.samples.start, slot.samples.stop))
        sizes = [len(slot.samples) for slot in slots]
        a, b = np.repeat(np.array(items), sizes, axis=0).T
        rows = np.repeat(np.array(seeds, dtype=np.uint64), sizes)
        passed, lengths, cut = self.student.answer(a, b, sampling, draws(rows, np.concatenate(numbers)))
        outcomes = zip((2 * passed + cut).tolist(), lengths.tolist(), cut.tolist(), strict=True)
        return [
            Group(
                task=slot.task.id, subject=slot.task.subject, step=step.number, index=slot.index,
                samples=tuple([_sample(*outcome) for outcome in itertools.islice(outcomes, size)]),
            )
            for slot, size in zip(slots, sizes, strict=True)
        ]  # fmt: skip

    def _gradient(self, groups: Sequence[Group]) -> float:
        """Mean over rollouts of advantage times score function; a stage may mask cut rollouts."""
        temperature = self.stage.rollout.temperature
        if temperature == 0:
            return 0.0
        sizes = [group.size for group in groups]
        a, b = np.repeat(np.array([self.items[group.task] for group in groups]), sizes, axis=0).T
        samples = [sample for group in groups for sample in group.samples]
        advantages: Floats = np.array([sample.advantage for sample in samples])
        outcomes = np.array([sample.verdict.status == "pass" for sample in samples])
        score = a * (outcomes - self.student.chance(a, b, temperature)) / temperature
        counted = np.ones_like(advantages)
        if self.stage.loss.mask_truncated:
            counted -= np.array([sample.truncated for sample in samples])
        gradient = float((advantages * score * counted).sum() / max(1.0, counted.sum()))
        limit = self.stage.optimizer.max_grad_norm
        return max(-limit, min(limit, gradient)) if limit else gradient


def _sample(kind: int, tokens: int, cut: bool) -> Sample:
    verdict = _VERDICTS[kind]
    return Sample(verdict=verdict, tokens=tokens, truncated=cut, reward=verdict.score)
