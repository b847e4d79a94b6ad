"""Curriculum `frozen-filter`: the control that shows why difficulty is measured anew.

Which subjects suit the policy is read off the labels of the run's first stage and kept in the state
for ever after, in later stages too, whatever the policy has learned since. Subjects that the first
stage did not offer stay out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.protocols import BuildContext, CurriculumContext
from harness.records import Group, StepMetrics, Task
from harness_curricula.drawing import Epochs, StepTasks
from harness_curricula.options import FrozenFilterOptions
from harness_curricula.window import SeenMeans, inside


class FrozenFilter:
    """The subjects that the run's first labels picked."""

    def __init__(self, options: FrozenFilterOptions, context: BuildContext | None = None) -> None:
        self.options = options
        self._epochs, self._step = Epochs(), StepTasks()
        #: The stage whose labels count, and what they said.
        self._first: str | None = None
        self._means = SeenMeans()

    def next(self, k: int, context: CurriculumContext) -> Sequence[Task]:
        """Raises TrainingError when the filter leaves no subject of the pool."""
        self._step.begins(context)
        if self._first is None:
            self._first = context.stage
        means = self._means.on(context.pool, learn=context.stage == self._first)
        kept = inside("frozen-filter", self.options, means, context)
        return self._epochs.draw(k, context, self._step, kept)

    def observe(self, group: Group) -> None:
        """The filter is frozen."""

    def finished(self, history: Sequence[StepMetrics]) -> str | None:
        return None

    def state_dict(self) -> dict[str, Any]:
        return {"first": self._first, "means": self._means.state_dict(), "drawn": self._epochs.drawn()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._first, self._means = state["first"], SeenMeans(state["means"])
        self._epochs, self._step = Epochs(state["drawn"]), StepTasks()
