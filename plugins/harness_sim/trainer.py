"""Trainer `sim`: a SIMULATION of policy-gradient training, at a hundred thousand rollouts a second.

The student's ability takes the step of the score-function gradient that a real trainer would estimate,
    theta += gain * lr * mean over rollouts of A * d log P(outcome) / d theta,
    d log P(outcome) / d theta = a (outcome - P(right)) / temperature,
with the advantages A that the session computed. A group whose outcomes are all equal has none and so
teaches nothing: that is the property on which curricula stand or fall. Nothing is ever forgotten, and
one ability serves all items: both flatter selection, and a result here says only so much.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from harness.errors import TrainingError
from harness.protocols import Batch, BuildContext, Engine, Policy, Session
from harness.recipe import Stage
from harness.records import Group, PolicyRef, RolloutKey, Status, StepMetrics, Task
from harness_sim.engine import SimEngine
from harness_sim.items import parameters
from harness_sim.options import SimTrainerOptions
from harness_sim.student import MODEL, Floats, Student, describe, draws, group_seed, read, write

#: By 2 * passed + cut; what was cut never passes.
_STATUSES = np.array(["fail", "no_answer", "pass"], dtype=object)


class SimTrainer:
    """Trains the simulated student (protocol `Trainer`). The policy on disk is all of its state."""

    def __init__(self, options: SimTrainerOptions, context: BuildContext | None = None) -> None:
        self.options = options
        self._engine = SimEngine()

    def train(self, stage: Stage, policy: Policy, session: Session) -> Policy:
        """Raises TrainingError for what a student without tokens or weights cannot do."""
        for what, asked in (
            (f"kind {stage.kind!r}", stage.kind != "rl"),
            ("rollout.top_p below 1", stage.rollout.top_p < 1),
            ("rollout.top_k", stage.rollout.top_k > 0),
            ("optimizer.weight_decay", stage.optimizer.weight_decay > 0),
        ):
            if asked:
                raise TrainingError(
                    f"the simulation has no {what}", where=f"stage {stage.name!r}", hint="leave it out"
                )
        return _StageRun(self.options, self._engine, stage, policy, session).run()

    def engine(self, policy: Policy) -> Engine:
        self._engine.sync_weights(policy)
        return self._engine

    def close(self) -> None:
        self._engine.close()


class _StageRun:
    """One stage on its way."""

    def __init__(
        self, options: SimTrainerOptions, engine: SimEngine, stage: Stage, policy: Policy, session: Session
    ) -> None:
        self.options, self.engine, self.stage = options, engine, stage
        self.policy, self.session = policy, session
        self.student = read(policy.files.path)
        #: The current step: items by task, how often each was drawn, the name of its random stream.
        self.items: dict[str, tuple[float, float]] = {}
        self.drawn: Counter[str] = Counter()
        self.key: RolloutKey | None = None

    def run(self) -> Policy:
        step = self.session.first_step + 1
        saved = self.session.first_step
        while True:
            metrics = self._step(step)
            if metrics is None:
                return self.policy if saved == step - 1 else self._save(step - 1)
            directive = self.session.finish_step(metrics)
            if directive.evaluate:
                live = PolicyRef(weights_sha=self.student.sha, stage=self.stage.name, step=step)
                self.engine.use(self.student, live)
                self.session.evaluate(self.engine)
            if directive.checkpoint or directive.stop is not None:
                self.policy, saved = self._save(step), step
            if directive.stop is not None:
                return self.policy
            step += 1

    def _step(self, step: int) -> StepMetrics | None:
        """One step; None where there is nothing left to learn from."""
        cpu, wall = time.process_time(), time.perf_counter()
        self.items.clear()
        self.drawn.clear()
        self.key = None
        batch = self.session.collect(self._generate)
        if not batch.groups:
            return None
        gradient = self._gradient(batch.groups)
        rate = self.stage.optimizer.rate(step)
        self.student = replace(
            self.student, ability=self.student.ability + self.options.gain * rate * gradient
        )
        return _metrics(
            self.stage.name, step, batch, gradient, rate, self.student,
            time.process_time() - cpu, time.perf_counter() - wall,
        )  # fmt: skip

    def _generate(self, tasks: Sequence[Task]) -> list[Group]:
        """All groups of a call in one draw of arrays (groups * G,)."""
        if self.key is None:
            # One probe names the step's random stream; keys of all rollouts would cost more than they.
            self.key = self.session.requests(tasks[:1])[0][0].key
        n, sampling = self.stage.rollout.n, self.stage.rollout.sampling
        items, seeds, first = [], [], []
        for task in tasks:
            item = self.items[task.id] = parameters(task.prompt)
            items.append(item)
            seeds.append(group_seed(self.key, task.id))
            first.append(self.drawn[task.id] * n)
            self.drawn[task.id] += 1
        a, b = np.repeat(np.array(items), n, axis=0).T
        rows = np.repeat(np.array(seeds, dtype=np.uint64), n)
        samples = (np.array(first)[:, None] + np.arange(n)).reshape(-1)
        passed, lengths, cut = self.student.answer(a, b, sampling, draws(rows, samples))
        shape = (len(tasks), n)
        kinds = _STATUSES[2 * passed + cut].reshape(shape).tolist()
        scores = passed.astype(np.float64).reshape(shape).tolist()
        tokens, cuts = lengths.reshape(shape).tolist(), cut.reshape(shape).tolist()
        step = self.key.step
        return [
            _group(task, step, statuses, score, length, truncated)
            for task, statuses, score, length, truncated in zip(
                tasks, kinds, scores, tokens, cuts, strict=True
            )
        ]

    def _gradient(self, groups: Sequence[Group]) -> float:
        """Mean over rollouts of advantage times score function; cut rollouts are masked where asked."""
        temperature = self.stage.rollout.temperature
        if temperature == 0:
            return 0.0
        a, b = np.array([self.items[group.task] for group in groups]).T
        advantages: Floats = np.array([group.advantages for group in groups])
        outcomes = np.array([[status == "pass" for status in group.statuses] for group in groups])
        score = a[:, None] * (outcomes - self.student.chance(a, b, temperature)[:, None]) / temperature
        counted = np.ones_like(advantages)
        if self.stage.loss.mask_truncated:
            counted -= np.array([group.truncated for group in groups])
        gradient = float((advantages * score * counted).sum() / max(1.0, counted.sum()))
        limit = self.stage.optimizer.max_grad_norm
        return max(-limit, min(limit, gradient)) if limit else gradient

    def _save(self, step: int) -> Policy:
        folder = Path()

        def fill(scratch: Path) -> PolicyRef:
            nonlocal folder
            folder = scratch.parent
            write(self.student, scratch / MODEL)
            return PolicyRef(weights_sha=self.student.sha, stage=self.stage.name, step=step)

        checkpoint = self.session.save(fill)
        folder /= Path(checkpoint.path).name
        return Policy(checkpoint.policy, describe(self.student, folder / MODEL), folder)


def _group(
    task: Task, step: int, statuses: list[Status], scores: list[float], lengths: list[int], cut: list[bool]
) -> Group:
    judged = tuple(scores)
    return Group(
        task=task.id, subject=task.subject, step=step, rollouts=None, statuses=tuple(statuses), scores=judged,
        rewards=judged, lengths=tuple(lengths), truncated=tuple(cut),
    )  # fmt: skip


def _metrics(
    stage: str,
    step: int,
    batch: Batch,
    gradient: float,
    rate: float,
    student: Student,
    cpu: float,
    wall: float,
) -> StepMetrics:
    groups = batch.groups
    rewards = np.array([r for group in groups for r in group.rewards if r is not None])
    rollouts = sum(group.size for group in groups)
    return StepMetrics(
        stage=stage,
        step=step,
        rollouts=batch.rollouts,
        tokens=batch.tokens,
        reward_mean=float(rewards.mean()),
        reward_sd=float(rewards.std()),
        pass_rate=sum(group.statuses.count("pass") for group in groups) / rollouts,
        zero_variance_groups=sum(not group.mixed for group in groups) / len(groups),
        truncated=sum(sum(group.truncated) for group in groups) / rollouts,
        discarded_groups=batch.discarded,
        grad_norm=abs(gradient),
        learning_rate=rate,
        cpu_seconds=cpu,
        seconds=wall,
        extra={"simulated": 1.0, "ability": student.ability},
    )
