"""Curriculum `seele`: as much of the solution as makes the pass rate one half (SEELE, arXiv 2509.06923,
section 3).

The pass rate of a plain subject with a share h of its solution shown follows a three-parameter logistic,

    P(pass | h) = c + (1 - c) / (1 + exp(-a (h - b)))

Outcomes at all shares tell about a and b; the share whose predicted rate is nearest to the target is asked
next. The paper fits the curve within a step, in rounds of rollouts; here a posterior over a grid of (a, b)
is carried from step to step, which fades, and its mean predicts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from harness_curricula.drawing import StepTasks
from harness_curricula.evidence import Evidence
from harness_curricula.index import Flags, Floats, Indices

from harness.contract import BuildContext, CurriculumContext, Group, StepMetrics, Task
from harness_hints.names import parts
from harness_hints.options import SeeleOptions

#: The grid of the posterior: slopes, and shares at which one half (above guessing) is passed.
SLOPES: Final = (3.0, 6.0, 12.0, 24.0)
HALVES: Final = tuple(np.linspace(-0.5, 1.5, 41).tolist())


@dataclass(frozen=True, slots=True)
class Families:
    """The forms of each plain subject of a pool."""

    #: The pool's list, kept so that no other list can be taken for it.
    subjects: Sequence[str]
    #: Positions, those of one plain subject side by side, shape (subjects,).
    order: Indices
    #: Where each plain subject's positions begin in `order`, and the end: shape (plain subjects + 1,).
    starts: Indices
    #: The share that each position shows, shape (subjects,).
    shares: Floats


class Seele:
    """Plain subjects drawn uniformly, each with the share that suits the policy."""

    def __init__(self, options: SeeleOptions, context: BuildContext | None = None) -> None:
        self.options = options
        self._evidence, self._step = Evidence(options.decay), StepTasks()
        self._families: Families | None = None

    def next(self, k: int, context: CurriculumContext) -> Sequence[Task]:
        if self._step.begins(context):
            self._evidence.fade()
        subjects, rng = context.pool.subjects, context.rng
        if self._families is None or self._families.subjects is not subjects:
            self._families = families(subjects)
        order, starts, shares = self._families.order, self._families.starts, self._families.shares

        def pick(count: int, exhausted: Flags) -> Indices:
            open_ = np.flatnonzero(np.add.reduceat(~exhausted[order], starts[:-1]) > 0)
            some = rng.choice(open_, min(count, len(open_)), replace=False) if len(open_) else open_
            picks = []
            for family in some.tolist():
                members = order[starts[family] : starts[family + 1]]
                rates = self.predicted([subjects[i] for i in members.tolist()], shares[members])
                distance = np.abs(rates - self.options.target) + np.where(exhausted[members], 2.0, 0.0)
                picks.append(int(members[int(np.argmin(distance))]))
            return np.array(picks, dtype=np.int64)

        return self._step.draw(k, context, pick)

    def predicted(self, subjects: Sequence[str], shares: Floats) -> Floats:
        """Predicted pass rates of one plain subject's forms, shape (forms,)."""
        slopes, halves = np.meshgrid(SLOPES, HALVES, indexing="ij")
        a, b = slopes.reshape(-1, 1), halves.reshape(-1, 1)
        c = self.options.guess
        rates = np.clip(c + (1 - c) / (1 + np.exp(-a * (shares[None, :] - b))), 1e-6, 1 - 1e-6)
        passes, fails = self._evidence.on(list(subjects)).T
        fit = (passes * np.log(rates) + fails * np.log1p(-rates)).sum(axis=1)
        weights = np.exp(fit - fit.max())
        mean: Floats = weights @ rates / weights.sum()
        return mean

    def observe(self, group: Group) -> None:
        self._evidence.count(group, [(group.subject, 1.0)])

    def finished(self, history: Sequence[StepMetrics]) -> str | None:
        return None

    def state_dict(self) -> dict[str, Any]:
        return {"evidence": self._evidence.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._evidence, self._step = Evidence(self.options.decay, state["evidence"]), StepTasks()


def families(subjects: Sequence[str]) -> Families:
    """Sort a pool's subjects by the plain ones that they belong to."""
    named = [parts(subject) for subject in subjects]
    members: dict[str, list[int]] = {}
    for i, (plain, _) in enumerate(named):
        members.setdefault(plain, []).append(i)
    order = np.array([i for of_plain in members.values() for i in of_plain], dtype=np.int64)
    starts = np.cumsum([0, *(len(of_plain) for of_plain in members.values())])
    return Families(subjects, order, starts, np.array([share for _, share in named]))
