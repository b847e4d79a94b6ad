"""Curriculum `dump`: upper confidence bounds of absolute advantages (DUMP, arXiv 2504.09710, section 3.2).

    score = mean |A| over an arm's last samples + sqrt(2 ln(N + 1) / (n + 1))
    P(arm) ~ exp(score / tau)

n are the arm's samples so far and N those of all arms. As the public code (`curriculum_learning.py`) does,
the mean is over a window of samples, while n counts all of them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from harness_curricula.drawing import StepTasks
from harness_curricula.values import Values

from harness.contract import BuildContext, CurriculumContext, Group, StepMetrics, Task
from harness_adaptive.arms import Arms, advantages, softmax
from harness_adaptive.options import DumpOptions


class Dump:
    """Arms by optimistic scores."""

    def __init__(self, options: DumpOptions, context: BuildContext | None = None) -> None:
        self.options = options
        self._arms, self._step = Arms(options.levels, options.neighbours), StepTasks()
        self._windows: dict[str, deque[float]] = {}
        #: By arm: mean of its window, and its number of samples.
        self._seen = Values([0.0, 0.0])
        self._total = 0.0

    def next(self, k: int, context: CurriculumContext) -> Sequence[Task]:
        self._step.begins(context)
        means, numbers = self._seen.on(self._arms.names(context)).T
        scores = means + np.sqrt(2 * np.log(self._total + 1) / (numbers + 1))
        return self._arms.draw(k, context, self._step, softmax(scores, self.options.temperature))

    def observe(self, group: Group) -> None:
        values = advantages(group)
        for arm, weight in self._arms.paid(group):
            self._add(arm, values if weight == 1 else [weight * sum(values) / len(values)] if values else [])

    def _add(self, arm: str, values: list[float]) -> None:
        window = self._windows.setdefault(arm, deque(maxlen=self.options.window))
        window.extend(values)
        self._total += len(values)
        row = self._seen.row(arm)
        row[:] = sum(window) / len(window) if window else 0.0, row[1] + len(values)

    def finished(self, history: Sequence[StepMetrics]) -> str | None:
        return None

    def state_dict(self) -> dict[str, Any]:
        windows = {arm: list(window) for arm, window in self._windows.items()}
        return {"windows": windows, "seen": self._seen.state_dict(), "total": self._total}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._windows = {
            str(arm): deque(map(float, window), maxlen=self.options.window)
            for arm, window in state["windows"].items()
        }
        self._seen, self._total = Values([0.0, 0.0], state["seen"]), float(state["total"])
        self._step = StepTasks()
