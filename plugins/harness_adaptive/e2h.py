"""Curricula `e2h-cosine` and `e2h-gaussian`: from easy to hard on a plan (E2H, arXiv 2506.06632, section 3).

With levels i = 0 (easy) to K-1 and the progress s = (t - 1) / (T - 1) of step t of T planned ones, which is
0 in the first step and 1 in the last:

    cosine:    weight_i = a (K - i) + (1 - a)(i + 1),  a = (1 + cos(pi s)) / 2
    Gaussian:  weight_i = exp(-(i - mu)^2 / (2 width^2)),  mu = s^exponent (K - 1)

The cosine's least normalised weight is 2 / (K (K + 1)), so no level is ever left out; the Gaussian has a
floor of its own (public code `src/trainer.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import cos, pi
from typing import Any

import numpy as np
from harness_curricula.drawing import StepTasks
from harness_curricula.index import Floats

from harness.contract import BuildContext, CurriculumContext, Group, StepMetrics, Task
from harness_adaptive.arms import Arms
from harness_adaptive.options import E2hGaussianOptions, E2hOptions


class E2hCosine:
    """Levels whose weights turn from easy to hard along a cosine."""

    def __init__(self, options: E2hOptions, context: BuildContext | None = None) -> None:
        self._options = options
        self._arms, self._step, self._steps = Arms(options.levels, 0.0), StepTasks(), 0

    def next(self, k: int, context: CurriculumContext) -> Sequence[Task]:
        if self._step.begins(context):
            self._steps += 1
        count = len(self._arms.names(context))
        progress = min(1.0, (self._steps - 1) / max(1, self._options.steps - 1))
        weights = self.weights(count, progress)
        return self._arms.draw(k, context, self._step, weights / max(weights.sum(), 1e-300))

    def weights(self, count: int, progress: float) -> Floats:
        """The weights of so many levels, shape (count,), at a progress s in [0, 1]."""
        easy, i = (1 + cos(pi * progress)) / 2, np.arange(count)
        return easy * (count - i) + (1 - easy) * (i + 1.0)

    def observe(self, group: Group) -> None:
        """Outcomes do not matter: the plan is fixed."""

    def finished(self, history: Sequence[StepMetrics]) -> str | None:
        return None

    def state_dict(self) -> dict[str, Any]:
        return {"steps": self._steps}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._steps, self._step = int(state["steps"]), StepTasks()


class E2hGaussian(E2hCosine):
    """Levels around a peak that moves from easy to hard."""

    def __init__(self, options: E2hGaussianOptions, context: BuildContext | None = None) -> None:
        super().__init__(options, context)
        self._gaussian = options

    def weights(self, count: int, progress: float) -> Floats:
        """As for the cosine."""
        options = self._gaussian
        peak = progress**options.exponent * (count - 1)
        weights: Floats = np.exp(-((np.arange(count) - peak) ** 2) / (2 * options.width**2))
        return np.maximum(weights, options.floor)
