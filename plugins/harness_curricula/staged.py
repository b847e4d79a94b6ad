"""Curriculum `staged`: the method of arXiv 2504.00829.

The stage's `select` rule, and a window here, leave the subjects whose measured difficulty suits the
policy. They are drawn alike, or opened from easy to hard, until the training pass rate is flat or
high. What the labels say is read once a stage: measuring anew is the next stage's business.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from harness.errors import TrainingError
from harness.protocols import BuildContext, CurriculumContext
from harness.records import Group, StepMetrics, Task
from harness_curricula.drawing import Epochs, Indices, StepTasks, difficulty_means, positions, refuse_empty
from harness_curricula.exits import mastery, plateau
from harness_curricula.options import StagedOptions


class Staged:
    """Subjects in a window of measured difficulty, easy to hard."""

    def __init__(self, options: StagedOptions, context: BuildContext | None = None) -> None:
        self.options = options
        self._epochs, self._step = Epochs(), StepTasks()
        self._stage: str | None = None
        self._steps = 0
        #: The stage's subjects from easy to hard; positions of the same in the pool at hand.
        self._order: list[str] = []
        self._where: Indices | None = None
        self._subjects: Sequence[str] = ()

    def next(self, k: int, context: CurriculumContext) -> Sequence[Task]:
        """Raises TrainingError when no subject is left in the window."""
        if context.stage != self._stage:
            self._begin(context)
        if self._step.begins(context):
            self._steps += 1
        pool = context.pool
        if self._where is None or pool.subjects is not self._subjects:
            self._where, self._subjects = positions(pool.subjects, self._order), pool.subjects
        return self._epochs.draw(k, context, self._step, self._where[: self._open(len(self._where))])

    def _begin(self, context: CurriculumContext) -> None:
        pool, options = context.pool, self.options
        means = difficulty_means(pool.subjects, pool.labels)
        inside = np.flatnonzero((means >= options.low) & (means <= options.high))
        if not len(inside):
            raise TrainingError(
                refuse_empty("staged", options.low, options.high, means, pool),
                where=f"stage {context.stage!r}",
                hint="widen the window, or measure anew before the stage (reestimate = true)",
            )
        easy_first = inside[np.argsort(-means[inside], kind="stable")]
        self._order = [pool.subjects[i] for i in easy_first.tolist()]
        self._where, self._stage, self._steps = None, context.stage, 0
        self._epochs = Epochs()

    def _open(self, subjects: int) -> int:
        """How many subjects, from the easiest, the stage draws from by now."""
        options = self.options
        if options.order == "together":
            return subjects
        progress = min(1.0, (self._steps - 1) / options.pace_steps)
        return math.ceil(subjects * (options.start_share + (1 - options.start_share) * progress))

    def observe(self, group: Group) -> None:
        """Labels stay as measured until the next stage."""

    def finished(self, history: Sequence[StepMetrics]) -> str | None:
        options = self.options
        if options.order == "easy-first" and len(history) < options.pace_steps:
            return None
        return mastery(history, options.mastery_window, options.mastery) or plateau(
            history, options.plateau_window, options.plateau_errors
        )

    def state_dict(self) -> dict[str, Any]:
        return {
            "stage": self._stage,
            "steps": self._steps,
            "order": list(self._order),
            "drawn": self._epochs.drawn(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._stage, self._steps, self._order = state["stage"], state["steps"], list(state["order"])
        self._epochs.load(state["drawn"])
        self._step, self._where, self._subjects = StepTasks(), None, ()
