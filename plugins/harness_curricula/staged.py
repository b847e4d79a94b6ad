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

from harness.protocols import BuildContext, CurriculumContext
from harness.records import Group, StepMetrics, Task
from harness_curricula.drawing import Epochs, StepTasks
from harness_curricula.exits import mastery, plateau
from harness_curricula.index import Flags, Floats
from harness_curricula.options import StagedOptions
from harness_curricula.window import SeenMeans, inside


class Staged:
    """Subjects in a window of measured difficulty, easy to hard."""

    def __init__(self, options: StagedOptions, context: BuildContext | None = None) -> None:
        self.options = options
        self._stage: str | None = None
        self._steps = 0
        self._epochs, self._step, self._means = Epochs(), StepTasks(), SeenMeans()

    def next(self, k: int, context: CurriculumContext) -> Sequence[Task]:
        """Raises TrainingError when no subject is left in the window."""
        if context.stage != self._stage:
            self._stage, self._steps = context.stage, 0
            self._epochs, self._means = Epochs(), SeenMeans()
        if self._step.begins(context):
            self._steps += 1
        means = self._means.on(context.pool, learn=True)
        chosen = self._open(means, inside("staged", self.options, means, context))
        return self._epochs.draw(k, context, self._step, chosen)

    def _open(self, means: Floats, within: Flags) -> Flags:
        """Which subjects of the window the stage draws from by now."""
        options = self.options
        if options.order == "together":
            return within
        progress = min(1.0, (self._steps - 1) / options.pace_steps)
        share = options.start_share + (1 - options.start_share) * progress
        positions = np.flatnonzero(within)
        easiest = positions[np.argsort(-means[positions], kind="stable")]
        flags = np.zeros_like(within)
        flags[easiest[: math.ceil(len(easiest) * share)]] = True
        return flags

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
            "means": self._means.state_dict(),
            "drawn": self._epochs.drawn(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._stage, self._steps = state["stage"], int(state["steps"])
        self._means, self._epochs = SeenMeans(state["means"]), Epochs(state["drawn"])
        self._step = StepTasks()
