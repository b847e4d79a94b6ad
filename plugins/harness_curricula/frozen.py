"""Curriculum `frozen-filter`: the control that shows why difficulty is measured anew.

Which subjects suit the policy is read off the labels of the first call and kept in the state for
ever after, in later stages too, whatever the policy has learned since.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from harness.errors import TrainingError
from harness.protocols import BuildContext, CurriculumContext
from harness.records import Group, StepMetrics, Task
from harness_curricula.drawing import Epochs, Indices, StepTasks, difficulty_means, positions, refuse_empty
from harness_curricula.options import FrozenFilterOptions


class FrozenFilter:
    """The subjects that the run's first labels picked."""

    def __init__(self, options: FrozenFilterOptions, context: BuildContext | None = None) -> None:
        self.options = options
        self._epochs, self._step = Epochs(), StepTasks()
        #: The picked subjects; None before the first call.
        self._kept: list[str] | None = None
        self._where: Indices | None = None
        self._subjects: Sequence[str] = ()

    def next(self, k: int, context: CurriculumContext) -> Sequence[Task]:
        """Raises TrainingError when the filter leaves no subject of the pool."""
        self._step.begins(context)
        pool = context.pool
        if self._kept is None:
            self._kept = self._filter(context)
        if self._where is None or pool.subjects is not self._subjects:
            self._where, self._subjects = positions(pool.subjects, self._kept), pool.subjects
        return self._epochs.draw(k, context, self._step, self._where)

    def _filter(self, context: CurriculumContext) -> list[str]:
        pool, options = context.pool, self.options
        means = difficulty_means(pool.subjects, pool.labels)
        inside = np.flatnonzero((means >= options.low) & (means <= options.high))
        if not len(inside):
            raise TrainingError(
                refuse_empty("frozen-filter", options.low, options.high, means, pool),
                where=f"stage {context.stage!r}",
                hint="widen the window",
            )
        return [pool.subjects[i] for i in inside.tolist()]

    def observe(self, group: Group) -> None:
        """The filter is frozen."""

    def finished(self, history: Sequence[StepMetrics]) -> str | None:
        return None

    def state_dict(self) -> dict[str, Any]:
        return {"kept": self._kept, "drawn": self._epochs.drawn()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._kept = None if state["kept"] is None else list(state["kept"])
        self._epochs.load(state["drawn"])
        self._step, self._where, self._subjects = StepTasks(), None, ()
