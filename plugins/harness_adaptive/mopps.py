"""Curriculum `mopps`: pass rates predicted by a Beta posterior (MoPPS, arXiv 2507.04632, section 3).

When a task was tried with k passes and f fails, its posterior Beta(a, b) becomes

    a <- lambda a + (1 - lambda) a0 + k,    b <- lambda b + (1 - lambda) b0 + f

A step draws a pass rate for each of several candidates per wanted task (Thompson 1933) and takes those
nearest to the target, one half. The public code (`mopps.py`) updates a single sample's outcome wrongly, by
the precedence of its operators; this follows the formula.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from harness_curricula.drawing import StepTasks, candidates
from harness_curricula.evidence import outcomes
from harness_curricula.index import Flags, Indices
from harness_curricula.sharing import Sharing
from harness_curricula.values import Values

from harness.contract import BuildContext, CurriculumContext, Group, StepMetrics, Task
from harness_adaptive.options import MoppsOptions


class Mopps:
    """Candidates whose drawn pass rates are nearest to the target."""

    def __init__(self, options: MoppsOptions, context: BuildContext | None = None) -> None:
        self.options = options
        self._posterior = Values([options.prior, options.prior])
        self._step, self._sharing = StepTasks(), Sharing(options.neighbours)

    def next(self, k: int, context: CurriculumContext) -> Sequence[Task]:
        self._step.begins(context)
        subjects, rng = context.pool.subjects, context.rng
        self._sharing.sees(subjects)
        posterior = self._posterior.on(subjects)

        def pick(count: int, exhausted: Flags) -> Indices:
            tried = candidates(np.flatnonzero(~exhausted), self.options.candidates * count, rng)
            rates = rng.beta(posterior[tried, 0], posterior[tried, 1])
            return tried[np.argsort(np.abs(rates - self.options.target), kind="stable")[:count]]

        return self._step.draw(k, context, pick)

    def observe(self, group: Group) -> None:
        passes, fails = outcomes(group)
        if not passes + fails:
            return
        memory, prior = self.options.memory, self.options.prior
        for subject, weight in self._sharing.weights(group.subject):
            row = self._posterior.row(subject)
            if weight == 1:
                row[:] = memory * row + (1 - memory) * prior
            row += weight * np.array([passes, fails])

    def finished(self, history: Sequence[StepMetrics]) -> str | None:
        return None

    def state_dict(self) -> dict[str, Any]:
        return {"posterior": self._posterior.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        prior = self.options.prior
        self._posterior, self._step = Values([prior, prior], state["posterior"]), StepTasks()
