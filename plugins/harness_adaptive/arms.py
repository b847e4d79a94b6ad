"""Arms of a bandit over tasks: a subject each, or levels of them, paid in absolute advantages."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from harness_curricula.drawing import StepTasks, by_weight
from harness_curricula.index import Floats
from harness_curricula.sharing import Sharing

from harness.contract import CurriculumContext, Group, Task
from harness_adaptive.levels import levels


class Arms:
    """Names of arms, which subject belongs to which, and draws of an arm and then of a subject in it."""

    def __init__(self, count: int, neighbours: float) -> None:
        self._count, self._sharing = count, Sharing(neighbours)
        #: Arms of the subjects that were drawn.
        self._of: dict[str, str] = {}

    def names(self, context: CurriculumContext) -> Sequence[str]:
        """The arms of a pool, from easy to hard."""
        if not self._count:
            return context.pool.subjects
        return [f"level-{i}" for i in range(min(self._count, len(context.pool.subjects)))]

    def draw(self, k: int, context: CurriculumContext, step: StepTasks, chances: Floats) -> list[Task]:
        """Up to k tasks, an arm by its chance, shape (arms,), and a subject of the arm like any other."""
        pool, names = context.pool, self.names(context)
        self._sharing.sees(names)
        if self._count:
            level, count = levels(pool, self._count)
            weights = (chances / np.maximum(1, np.bincount(level, minlength=count)))[level]
        else:
            weights = chances.copy()
        tasks = step.draw(k, context, by_weight(weights, context.rng))
        if self._count:
            drawn = {task.subject for task in tasks}
            places = ((i, subject) for i, subject in enumerate(pool.subjects) if subject in drawn)
            self._of.update({subject: names[level[i]] for i, subject in places})
        return tasks

    def paid(self, group: Group) -> list[tuple[str, float]]:
        """Which arms a group pays, with their weights: its own with 1, and neighbours; none if it is
        unknown."""
        arm = self._of.get(group.subject) if self._count else group.subject
        return [] if arm is None else self._sharing.weights(arm)


def advantages(group: Group) -> list[float]:
    """Absolute advantages of the fresh samples that could be judged."""
    return [abs(sample.advantage) for sample in group.fresh if sample.reward is not None]


def softmax(scores: Floats, temperature: float) -> Floats:
    """Boltzmann's distribution over scores, shape (arms,)."""
    weights: Floats = np.exp((scores - scores.max(initial=0.0)) / temperature)
    return weights / weights.sum() if len(weights) else weights
