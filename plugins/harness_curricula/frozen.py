"""Curriculum `frozen-filter`: the control that shows why difficulty is measured anew.

The subjects that the `select` of the run's first stage leaves are kept for the rest of the run, later
stages included, whatever the policy has learned since. All others stay out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from harness.contract import BuildContext, CurriculumContext, Group, StepMetrics, Task, TrainingError
from harness_curricula.drawing import Epochs, StepTasks
from harness_curricula.index import Flags, Index, grown
from harness_curricula.options import FrozenFilterOptions


class FrozenFilter:
    """The subjects that the run's first stage offered."""

    def __init__(self, options: FrozenFilterOptions, context: BuildContext | None = None) -> None:
        self.options = options
        self._epochs, self._step = Epochs(), StepTasks()
        self._first: str | None = None
        self._keep()

    def _keep(self, kept: Sequence[str] = ()) -> None:
        """Keep these subjects of the first stage, and no others."""
        self._index = Index(kept)
        self._kept: Flags = np.ones(len(self._index), dtype=np.bool_)

    def next(self, k: int, context: CurriculumContext) -> Sequence[Task]:
        """Raises TrainingError if the first stage offered no subject of the pool."""
        self._step.begins(context)
        if self._first is None:
            self._first = context.stage
        slots = self._index.slots(context.pool.subjects)
        self._kept = grown(self._kept, len(self._index), False)  # type: ignore[assignment]
        if context.stage == self._first:
            self._kept[slots] = True
        kept = self._kept[slots]
        if not kept.any():
            raise TrainingError(
                f"curriculum 'frozen-filter': stage {self._first!r}, the run's first, offered none of the "
                f"{len(slots)} subjects of this stage",
                where=f"stage {context.stage!r}",
                hint="widen the select of either stage",
            )
        return self._epochs.draw(k, context, self._step, kept)

    def observe(self, group: Group) -> None:
        """The filter is frozen."""

    def finished(self, history: Sequence[StepMetrics]) -> str | None:
        return None

    def state_dict(self) -> dict[str, Any]:
        kept = [subject for subject, keep in zip(self._index.ids, self._kept.tolist(), strict=False) if keep]
        return {"first": self._first, "kept": kept, "drawn": self._epochs.drawn()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._first, self._epochs, self._step = state["first"], Epochs(state["drawn"]), StepTasks()
        self._keep(state["kept"])
