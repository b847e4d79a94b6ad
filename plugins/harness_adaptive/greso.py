"""Curriculum `greso`: passes over tasks whose groups were all alike (GRESO, arXiv 2506.02177, section 4).

A task whose last z groups in a row were too easy is taken with probability max(p_easy^z, floor), one whose
last z were too hard with max(p_hard^z, floor); any other group ends a streak. Candidates come once per
epoch. After each step p_easy falls by 0.01 if more than its share of groups was too easy, and rises
otherwise; p_hard likewise. The paper's streaks are of groups without variance; the public code
(`presampling_selector.py`) counts accuracies of at least .98 and of at most .11 instead, which the options'
defaults follow.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from harness_curricula.drawing import Epochs, StepTasks
from harness_curricula.evidence import outcomes
from harness_curricula.index import Flags, Floats, Indices
from harness_curricula.sharing import Sharing
from harness_curricula.values import Values

from harness.contract import BuildContext, CurriculumContext, Group, StepMetrics, Task
from harness_adaptive.options import GresoOptions

#: Rounds of candidates before those at hand are taken anyway; the floor makes a hundred the usual most.
ROUNDS: Final = 1000


class Greso:
    """Candidates of an epoch, but for those that were too easy or too hard lately."""

    def __init__(self, options: GresoOptions, context: BuildContext | None = None) -> None:
        self.options = options
        #: By subject: groups in a row that were too easy, and too hard.
        self._streaks = Values([0.0, 0.0])
        #: Exploration probabilities of tasks too easy and too hard.
        self.explore: Floats = np.array([options.explore, options.explore])
        #: Groups of this step: too easy, too hard, all.
        self._groups: Floats = np.zeros(3)
        self._epochs, self._step, self._sharing = Epochs(), StepTasks(), Sharing(options.neighbours)

    def next(self, k: int, context: CurriculumContext) -> Sequence[Task]:
        if self._step.begins(context):
            self._adjust()
        self._sharing.sees(context.pool.subjects)
        chances = self._chances(context.pool.subjects)
        rng = context.rng

        def pick(count: int, exhausted: Flags) -> Indices:
            taken: list[Indices] = []
            missing = count
            for _ in range(ROUNDS):
                candidates = self._epochs.take(missing, context, exhausted)
                kept = candidates[rng.random(len(candidates)) < chances[candidates]]
                taken.append(kept)
                missing -= len(kept)
                if missing <= 0 or not len(candidates):
                    return np.concatenate(taken)
            return np.concatenate([*taken, self._epochs.take(missing, context, exhausted)])

        return self._step.draw(k, context, pick)

    def _chances(self, subjects: Sequence[str]) -> Floats:
        """The probability that each subject is taken, shape (subjects,)."""
        chances: Floats = (self.explore ** self._streaks.on(subjects)).min(axis=1)
        return np.maximum(chances, self.options.floor)

    def _adjust(self) -> None:
        options, (easy, hard, number) = self.options, self._groups
        if number:
            above = np.array([easy, hard]) > number * np.array([options.easy_share, options.hard_share])
            moved = self.explore + np.where(above, -options.step, options.step)
            self.explore = np.clip(moved, options.least, 1 - options.least)
            self._groups = np.zeros(3)

    def observe(self, group: Group) -> None:
        passes, fails = outcomes(group)
        if not passes + fails:
            return
        rate = passes / (passes + fails)
        alike = np.array([rate >= self.options.easy, rate <= self.options.hard])
        self._groups += [*alike, 1.0]
        for subject, weight in self._sharing.weights(group.subject):
            row = self._streaks.row(subject)
            row[:] = np.where(alike, row + weight, (1 - weight) * row)

    def finished(self, history: Sequence[StepMetrics]) -> str | None:
        return None

    def state_dict(self) -> dict[str, Any]:
        return {
            "streaks": self._streaks.state_dict(),
            "explore": self.explore.tolist(),
            "groups": self._groups.tolist(),
            "drawn": self._epochs.drawn(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._streaks = Values([0.0, 0.0], state["streaks"])
        self.explore, self._groups = np.array(state["explore"]), np.array(state["groups"])
        self._epochs, self._step = Epochs(state["drawn"]), StepTasks()
