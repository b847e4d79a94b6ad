"""Curriculum `questa`: shares of the solution that shrink stage by stage (QuestA, arXiv 2507.13266, section
3).

Hard problems are asked with half of their solution shown, then with a quarter. Tasks of the share that is
due are drawn uniformly; which problems are hard is for the stage's `select` rule to say, of their plain form:
`plain(p <= 0.1)`, or of another model `plain(p["7b"] <= 0.1)`. The paper switches by hand after a plateau, in
stages; here it is after a planned number of steps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from harness_curricula.drawing import Epochs, StepTasks

from harness.contract import BuildContext, CurriculumContext, Group, StepMetrics, Task, TrainingError
from harness_hints.names import parts
from harness_hints.options import QuestAOptions


class QuestA:
    """Uniform draws among the subjects of one share after the other."""

    def __init__(self, options: QuestAOptions, context: BuildContext | None = None) -> None:
        self.options = options
        self._epochs, self._step, self._steps = Epochs(), StepTasks(), 0

    def next(self, k: int, context: CurriculumContext) -> Sequence[Task]:
        """Raises TrainingError if no subject shows the share that is due."""
        if self._step.begins(context):
            self._steps += 1
        shares = self.options.shares
        due = shares[min(len(shares) - 1, (self._steps - 1) // self.options.steps)]
        shown = np.array([round(100 * parts(subject)[1]) for subject in context.pool.subjects])
        among = shown == round(100 * due)
        if not among.any():
            raise TrainingError(
                f"curriculum 'questa': no subject shows {due:.0%} of its solution",
                where=f"stage {context.stage!r}",
                allowed=", ".join(f"{percent}%" for percent in sorted(set(shown.tolist()))),
                hint="give the source 'hinted' this share, or select its subjects",
            )
        return self._epochs.draw(k, context, self._step, among)

    def observe(self, group: Group) -> None:
        """Outcomes do not matter: the plan is fixed."""

    def finished(self, history: Sequence[StepMetrics]) -> str | None:
        return None

    def state_dict(self) -> dict[str, Any]:
        return {"steps": self._steps, "drawn": self._epochs.drawn()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._steps = int(state["steps"])
        self._epochs, self._step = Epochs(state["drawn"]), StepTasks()
