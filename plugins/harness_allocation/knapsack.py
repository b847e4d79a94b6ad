"""Curriculum `knapsack`: samples shared out by value (Knapsack RL, arXiv 2509.25849, section 4).

Of a task with pass rate p, n samples are worth

    (1 - p^n - (1 - p)^n) p (1 - p)^2

the chance of a mixed group times what it teaches. A step's samples are shared out so that the total is
greatest, between `least` and `most` per task; what no task gains from goes to those with p = 0 in equal
parts. The value is concave in n, so taking the greatest gains one by one is exact; the public code runs
a dynamic program. p is the share of passes so far, which fades; tasks that were never tried get the
mean.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from harness_curricula.evidence import Evidence
from harness_curricula.index import Floats, Indices
from harness_curricula.sharing import Sharing

from harness.contract import Ask, BuildContext, CurriculumContext, Group, StepMetrics
from harness_allocation.options import KnapsackOptions
from harness_allocation.rounds import Rounds
from harness_allocation.sharing_out import shared_out


class Knapsack:
    """Uniformly drawn tasks with groups as large as they are worth."""

    def __init__(self, options: KnapsackOptions, context: BuildContext | None = None) -> None:
        self.options = options
        self._rounds, self._sharing = Rounds(), Sharing(options.neighbours)
        self._evidence = Evidence(options.decay)

    def next(self, k: int, context: CurriculumContext) -> Sequence[Ask]:
        if self._rounds.begins(context):
            self._evidence.fade()
        self._sharing.sees(context.pool.subjects)
        tasks = self._rounds.draw(k, context)
        evidence = self._evidence.on([task.subject for task in tasks])
        sizes = self.sizes(evidence, self.options.size(context)).tolist()
        return [Ask(task, size) for task, size in zip(tasks, sizes, strict=True)]

    def sizes(self, evidence: Floats, mean: int) -> Indices:
        """Group sizes of tasks with these passes and fails, shape (tasks, 2), and of this mean."""
        options = self.options
        sizes = np.full(len(evidence), mean)
        known = np.flatnonzero(evidence.sum(axis=1) > 0)
        if not len(known):
            return sizes
        rates = evidence[known, 0] / evidence[known].sum(axis=1)
        budget = len(known) * (mean - options.least)
        more = shared_out(gains(rates, options.least, options.most), budget)
        left = budget - int(more.sum())
        hopeless = np.flatnonzero(rates == 0)
        if left and len(hopeless):
            each = np.arange(len(hopeless)) < left % len(hopeless)
            extra = np.minimum(left // len(hopeless) + each, options.most - options.least)
            more[hopeless] += extra
        sizes[known] = options.least + more
        return sizes

    def observe(self, group: Group) -> None:
        self._evidence.count(group, self._sharing.weights(group.subject))

    def finished(self, history: Sequence[StepMetrics]) -> str | None:
        return None

    def state_dict(self) -> dict[str, Any]:
        return {"evidence": self._evidence.state_dict(), "drawn": self._rounds.drawn()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._evidence = Evidence(self.options.decay, state["evidence"])
        self._rounds = Rounds(state["drawn"])


def gains(rates: Floats, least: int, most: int) -> Floats:
    """What each sample after the first `least` adds to a task's value, shape (tasks, most - least)."""
    p, n = rates[:, None], np.arange(least, most)[None, :]
    added: Floats = p * (1 - p) ** 2 * (p**n * (1 - p) + (1 - p) ** n * p)
    return added
