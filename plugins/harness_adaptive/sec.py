"""Curriculum `sec`: a bandit over levels, paid in absolute advantages (SEC, arXiv 2505.14970, section 3).

    r = mean |A| of an arm's samples in the step
    Q <- alpha r + (1 - alpha) Q                      TD(0), for the arms that were drawn
    P(arm) ~ exp(Q / tau)                             and a task of the arm like any other

No code of the authors is public; this follows the paper.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness_curricula.drawing import StepTasks
from harness_curricula.values import Values

from harness.contract import BuildContext, CurriculumContext, Group, StepMetrics, Task
from harness_adaptive.arms import Arms, advantages, softmax
from harness_adaptive.options import SecOptions


class Sec:
    """Arms by their values."""

    def __init__(self, options: SecOptions, context: BuildContext | None = None) -> None:
        self.options = options
        self._values = Values([0.0])
        self._arms, self._step = Arms(options.levels, options.neighbours), StepTasks()
        #: What the step paid each arm: sum of absolute advantages and their weight.
        self._paid: dict[str, list[float]] = {}

    def next(self, k: int, context: CurriculumContext) -> Sequence[Task]:
        if self._step.begins(context):
            self._learn()
        values = self._values.on(self._arms.names(context))[:, 0]
        return self._arms.draw(k, context, self._step, softmax(values, self.options.temperature))

    def _learn(self) -> None:
        for arm, (total, weight, most) in self._paid.items():
            row = self._values.row(arm)
            # Weight of neighbours alone lowers the rate: they saw a share of an outcome.
            rate = self.options.rate * most
            row[0] += rate * (total / weight - row[0])
        self._paid = {}

    def observe(self, group: Group) -> None:
        values = advantages(group)
        if values:
            for arm, weight in self._arms.paid(group):
                total, before, most = self._paid.get(arm, (0.0, 0.0, 0.0))
                self._paid[arm] = [
                    total + weight * sum(values), before + weight * len(values), max(most, weight)
                ]  # fmt: skip

    def finished(self, history: Sequence[StepMetrics]) -> str | None:
        return None

    def state_dict(self) -> dict[str, Any]:
        return {"values": self._values.state_dict(), "paid": self._paid}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._values, self._step = Values([0.0], state["values"]), StepTasks()
        self._paid = {str(arm): [float(x) for x in paid] for arm, paid in state["paid"].items()}
