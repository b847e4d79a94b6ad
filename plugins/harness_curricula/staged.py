"""Curriculum `staged`: the method of arXiv 2504.00829.

The stage's rule `select` leaves the subjects whose measured difficulty suits the policy. They are drawn
alike, or opened from easy to hard, until the training pass rate is flat or high.
Labels are read once per stage; to use new measurements, begin another stage.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from harness.contract import BuildContext, CurriculumContext, Group, StepMetrics, Task
from harness_curricula.drawing import Epochs, StepTasks
from harness_curricula.exits import mastery, plateau
from harness_curricula.index import Flags, Floats
from harness_curricula.options import StagedOptions
from harness_curricula.seen import SeenMeans


class Staged:
    """The subjects of a stage, all alike or from easy to hard."""

    def __init__(self, options: StagedOptions, context: BuildContext | None = None) -> None:
        self.options = options
        self._stage: str | None = None
        self._steps = 0
        self._epochs, self._step, self._means = Epochs(), StepTasks(), SeenMeans()

    def next(self, k: int, context: CurriculumContext) -> Sequence[Task]:
        if context.stage != self._stage:
            self._stage, self._steps = context.stage, 0
            self._epochs, self._means = Epochs(), SeenMeans()
        if self._step.begins(context):
            self._steps += 1
        return self._epochs.draw(k, context, self._step, self._open(self._means.on(context.pool)))

    def _open(self, means: Floats) -> Flags:
        """Which subjects the stage draws from by now."""
        options = self.options
        if options.order == "together":
            return np.ones(len(means), dtype=np.bool_)
        progress = min(1.0, (self._steps - 1) / options.pace_steps)
        share = options.start_share + (1 - options.start_share) * progress
        easiest = np.argsort(-means, kind="stable")
        flags = np.zeros(len(means), dtype=np.bool_)
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
