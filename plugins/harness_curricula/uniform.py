"""Curriculum `uniform`: every subject alike, whatever its difficulty."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.contract import BuildContext, CurriculumContext, Group, StepMetrics, Task
from harness_curricula.drawing import Epochs, StepTasks


class Uniform:
    """Draws subjects uniformly, each once per epoch; strata come again with fresh tasks."""

    def __init__(self, options: None = None, context: BuildContext | None = None) -> None:
        self._epochs, self._step = Epochs(), StepTasks()

    def next(self, k: int, context: CurriculumContext) -> Sequence[Task]:
        self._step.begins(context)
        return self._epochs.draw(k, context, self._step)

    def observe(self, group: Group) -> None:
        """Outcomes do not matter here."""

    def finished(self, history: Sequence[StepMetrics]) -> str | None:
        return None

    def state_dict(self) -> dict[str, Any]:
        return {"drawn": self._epochs.drawn()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._epochs, self._step = Epochs(state["drawn"]), StepTasks()
