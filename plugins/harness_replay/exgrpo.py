"""Curriculum `exgrpo`: stored groups near a pass rate of one half, the surest first (arXiv 2510.02245,
section 4).

Stored groups lie in buckets by their pass rate p; a bucket is drawn with weight exp(-(8 p - 4)^2 / (2
width^2)), and of its groups the one whose right answers have the least mean surprise, an estimate of their
entropy. Replay begins once a step's pass rate has exceeded `start`. The paper and its public code
(LUFFY/ExGRPO) put one replayed right answer among G - 1 fresh ones and reshape its weight to w / (w + 0.1);
here a stored group joins the batch as it is, weighted by the trainer's clipped ratio, since a group has one
policy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import exp
from typing import Any

import numpy as np
from harness_curricula.drawing import Epochs, StepTasks
from harness_curricula.evidence import outcomes

from harness.contract import BuildContext, CurriculumContext, Group, StepMetrics, Task
from harness_replay.options import ExGrpoOptions
from harness_replay.stored import surprise, within


class ExGrpo:
    """Uniformly drawn tasks, and stored groups of medium difficulty beside them."""

    def __init__(self, options: ExGrpoOptions, context: BuildContext | None = None) -> None:
        self.options = options
        self._epochs, self._step = Epochs(), StepTasks()
        #: Passes and judged samples of this step, and whether replay has begun.
        self._outcomes = [0, 0]
        self._begun = False
        #: Groups that were replayed, as task, step and index.
        self._replayed: set[tuple[str, int, int]] = set()

    def next(self, k: int, context: CurriculumContext) -> Sequence[Task]:
        if self._step.begins(context):
            self._outcomes = [0, 0]
        return self._epochs.draw(k, context, self._step)

    def replay(self, groups: Sequence[Group], context: CurriculumContext) -> Sequence[Group]:
        """So many stored groups that they make up their share of the batch."""
        options, (passes, judged) = self.options, self._outcomes
        self._begun = self._begun or passes > options.start * judged
        if not self._begun or context.store is None:
            return ()
        wanted = round(len(groups) * options.share / (1 - options.share))
        left = [g for g in within(context.store, context, options.oldest) if _key(g) not in self._replayed]
        chosen: list[Group] = []
        while left and len(chosen) < wanted:
            group = self._drawn(left, context.rng)
            left.remove(group)
            chosen.append(group)
            if options.once:
                self._replayed.add(_key(group))
        alive = {_key(group) for group in context.store.groups()}
        self._replayed &= alive
        return chosen

    def _drawn(self, groups: Sequence[Group], rng: np.random.Generator) -> Group:
        """A bucket by its weight, and of it the group whose right answers were least surprising."""
        buckets: dict[int, list[Group]] = {}
        for group in groups:
            buckets.setdefault(round(8 * _rate(group)), []).append(group)
        names = sorted(buckets)
        weights = np.array([exp(-((name - 4) ** 2) / (2 * self.options.width**2)) for name in names])
        bucket = buckets[names[int(rng.choice(len(names), p=weights / weights.sum()))]]
        return min(bucket, key=_surprise)

    def observe(self, group: Group) -> None:
        passes, fails = outcomes(group)
        self._outcomes = [self._outcomes[0] + passes, self._outcomes[1] + passes + fails]

    def finished(self, history: Sequence[StepMetrics]) -> str | None:
        return None

    def state_dict(self) -> dict[str, Any]:
        return {
            "drawn": self._epochs.drawn(),
            "begun": self._begun,
            "replayed": [list(key) for key in sorted(self._replayed)],
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._epochs, self._step = Epochs(state["drawn"]), StepTasks()
        self._outcomes, self._begun = [0, 0], bool(state["begun"])
        self._replayed = {(str(task), int(step), int(index)) for task, step, index in state["replayed"]}


def _key(group: Group) -> tuple[str, int, int]:
    return group.task, group.step, group.index


def _rate(group: Group) -> float:
    judged = [sample.verdict.status == "pass" for sample in group.samples if sample.judged]
    return sum(judged) / max(1, len(judged))


def _surprise(group: Group) -> float:
    right = [surprise(sample) for sample in group.samples if sample.verdict.status == "pass"]
    return min(right, default=float("inf"))
