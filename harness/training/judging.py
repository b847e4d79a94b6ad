"""From rollouts to groups: judged while others are generated, rewarded, shaped, normalised and gated.

The order is fixed, so that all trainers feel the same curriculum: verify, reward, shape, normalise,
shape advantages, observe, gate.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace

from harness.contract.advantages import group_advantages
from harness.contract.errors import TrainingError
from harness.contract.protocols import Curriculum, Gate, Reward, Shaper, Slot
from harness.contract.records import Difficulty, Rollout, RolloutKey, Task, Verdict
from harness.contract.samples import Group, Sample
from harness.recipe import Conventions, Stage
from harness.scoring import Scorer
from harness.training import border
from harness.training.drawing import Drawing


@dataclass(frozen=True, slots=True)
class StageParts:
    """The plugin objects of one stage, in the recipe's order."""

    curriculum: Curriculum
    reward: Reward
    gates: Sequence[Gate] = ()
    shapers: Sequence[Shaper] = ()
    #: Rewards that are kept beside with weight 0, by their names.
    metrics: Mapping[str, Reward] | None = None


class Judging:
    """The samples of one step after the other.

    Args:
        stage: names the plugins in errors.
        conventions: of the normalisation.
        parts: the stage's plugin objects.
        labels: what is known of each subject's difficulty.
        scorer: judges.
        drawing: knows which samples were asked for.
    """

    def __init__(
        self,
        stage: Stage,
        conventions: Conventions,
        parts: StageParts,
        labels: Mapping[str, Difficulty],
        scorer: Scorer,
        drawing: Drawing,
    ) -> None:
        self._stage, self._conventions, self._parts = stage, conventions, parts
        self._labels, self._scorer, self._drawing = labels, scorer, drawing
        self.begin()

    def begin(self) -> None:
        """A new step."""
        #: Verdicts under way of completions that were offered and not yet submitted.
        self._begun: dict[RolloutKey, Future[Verdict]] = {}
        #: This step's groups as they were judged, before any shaper: what further samples join.
        self._judged: dict[tuple[str, int], Group] = {}

    @property
    def answered(self) -> list[Group]:
        """The step's groups so far, with rewards as the verdicts give them."""
        return list(self._judged.values())

    def as_judged(self, group: Group) -> Group:
        """A group of this step with rewards as the verdicts give them, before any shaper."""
        return self._judged[group.task, group.index]

    def offer(self, rollout: Rollout) -> None:
        """Begin to judge a completion; waits if too many are being judged."""
        task = self._task(rollout, "session.offer")
        if rollout.key not in self._begun:
            self._begun[rollout.key] = self._scorer.begin(task, rollout)

    def groups(self, rollouts: Sequence[Rollout], step: int) -> list[Group]:
        """Groups of judged samples with rewards, in order of arrival; each slot must be complete."""
        by_slot: dict[tuple[str, int], tuple[Slot, list[Rollout]]] = {}
        for rollout in rollouts:
            task = self._task(rollout, "session.submit")
            slot = self._drawing.slot_of(task.id, rollout.key.sample)
            if slot is None:
                raise TrainingError(
                    f"sample {rollout.key.sample} of task {task.id!r} was not asked for in this step",
                    where="session.submit",
                )
            by_slot.setdefault((task.id, slot.samples.start), (slot, []))[1].append(rollout)
        for slot, members in by_slot.values():
            if len(members) != len(slot.samples):
                raise TrainingError(
                    f"task {slot.task.id!r} came back with {len(members)} rollouts", where="session.submit",
                    allowed=f"groups of {len(slot.samples)}",
                )  # fmt: skip
            members.sort(key=lambda r: r.key.sample)
        for _, members in by_slot.values():
            for rollout in members:
                self.offer(rollout)
        return [
            self.joined(
                Group(
                    task=slot.task.id,
                    subject=slot.task.subject,
                    step=step,
                    index=slot.index,
                    samples=tuple(self._sample(r, self._begun.pop(r.key).result()) for r in members),
                )
            )
            for slot, members in by_slot.values()
        ]

    def joined(self, group: Group) -> Group:
        """The group as it is, or with the samples that it had before these."""
        before = self._judged.get((group.task, group.index))
        if before is not None:
            group = replace(group, samples=before.samples + group.samples, known=before.size)
        self._judged[group.task, group.index] = group
        return group

    def finished(self, group: Group) -> tuple[Group, bool]:
        """The group shaped and normalised, and whether the gates keep it; the curriculum has seen it."""
        group = self.normalised(group)
        self._parts.curriculum.observe(group)
        return group, self.kept(group)

    def kept(self, group: Group) -> bool:
        """Whether every gate keeps the group."""
        gates = zip(self._parts.gates, self._stage.gates, strict=True)
        return all(border.keeps(gate.keep(group), use.name) for gate, use in gates)

    def normalised(self, group: Group) -> Group:
        """The group with shaped rewards and with advantages."""
        label = self._labels.get(group.subject)
        shapers = list(zip(self._parts.shapers, self._stage.shapers, strict=True))
        for shaper, use in shapers:
            group = group.with_rewards(border.rewards(shaper.rewards(group, label), group, use.name))
        conventions = self._conventions
        advantages = group_advantages(
            group.rewards, epsilon=conventions.advantage_epsilon, std=conventions.std
        )
        if any(advantages):
            group = group.with_advantages(advantages)
        for shaper, use in shapers:
            group = group.with_advantages(border.advantages(shaper.advantages(group, label), group, use.name))
        return group

    def _sample(self, rollout: Rollout, verdict: Verdict) -> Sample:
        if not verdict.judged:
            return Sample.of(rollout, verdict)
        value = border.reward(self._parts.reward(verdict), self._stage.reward.name)
        beside = self._parts.metrics or {}
        metrics = {name: border.reward(reward(verdict), name) for name, reward in beside.items()}
        return Sample.of(rollout, verdict, value, metrics=metrics)

    def _task(self, rollout: Rollout, where: str) -> Task:
        task = self._drawing.tasks.get(rollout.key.task)
        if task is None:
            raise TrainingError(f"task {rollout.key.task!r} was not handed out in this step", where=where)
        return task
