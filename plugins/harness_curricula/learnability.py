"""Curriculum `learnability`: online, with labels that training gives for free.

Each subject has a Beta posterior over its pass rate, from the outcomes of training, which fade by
`decay` per step because the policy moves on. A step draws a pass rate from every posterior (Thompson
1933) and then subjects in proportion to what that rate is worth: p(1-p), the variance of the reward and
so the size of the policy gradient, or the chance of a group with mixed outcomes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from harness.contract import BuildContext, CurriculumContext, Group, StepMetrics, Task
from harness_curricula.drawing import StepTasks, by_weight
from harness_curricula.evidence import Evidence
from harness_curricula.index import Floats
from harness_curricula.options import LearnabilityOptions
from harness_curricula.sharing import Sharing


class Learnability:
    """Subjects in proportion to how much can be learned from them."""

    def __init__(self, options: LearnabilityOptions, context: BuildContext | None = None) -> None:
        self.options = options
        self._evidence = Evidence(options.decay)
        self._step, self._sharing = StepTasks(), Sharing(options.neighbours)

    def next(self, k: int, context: CurriculumContext) -> Sequence[Task]:
        if self._step.begins(context):
            self._evidence.fade()
        subjects, rng = context.pool.subjects, context.rng
        self._sharing.sees(subjects)
        return self._step.draw(k, context, by_weight(self._weights(context), rng))

    def _weights(self, context: CurriculumContext) -> Floats:
        """What each subject is worth to this step, shape (subjects,)."""
        options, subjects, rng = self.options, context.pool.subjects, context.rng
        counts = self._evidence.on(subjects)
        known = np.flatnonzero(counts.any(axis=1))
        passes, fails = counts[known].T
        if options.explore == "thompson":
            # A subject without evidence has the posterior Beta(1, 1), which is uniform and cheap to draw.
            rates = rng.random(len(subjects))
            rates[known] = rng.beta(passes + 1, fails + 1)
        else:
            rates = np.full(len(subjects), 0.5)
            rates[known] = (passes + 1) / (passes + fails + 2)
        if options.utility == "variance":
            worth = rates * (1 - rates)
        else:
            size = options.size(context)
            worth = 1 - rates**size - (1 - rates) ** size
        return worth + options.floor

    def means(self, subjects: Sequence[str]) -> Floats:
        """The posterior mean of each subject's pass rate, shape (subjects,)."""
        passes, fails = self._evidence.on(subjects).T
        means: Floats = (passes + 1) / (passes + fails + 2)
        return means

    def observe(self, group: Group) -> None:
        self._evidence.count(group, self._sharing.weights(group.subject))

    def finished(self, history: Sequence[StepMetrics]) -> str | None:
        return None

    def state_dict(self) -> dict[str, Any]:
        return {"evidence": self._evidence.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._evidence = Evidence(self.options.decay, state["evidence"])
        self._step = StepTasks()
