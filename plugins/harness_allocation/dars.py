"""Curriculum `dars`: further samples of hard tasks (DARS, arXiv 2508.13755, section 3).

A task with pass rate p in its first G samples has a cumulative advantage of G S, S = 2 p (1 - p). Hard ones
get

    dN = ceil((A* - G S) / S)

further samples, at most so many, where A* is G/2 (`equal`) or 2 (1 - p) G/2 (`hardness`); for p = 0 one
half of a pass is assumed (public code `ray_dars_trainer.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

from harness.contract import Ask, BuildContext, CurriculumContext, Group, Task
from harness_allocation.options import DarsOptions
from harness_allocation.rounds import Stateless, counts


class Dars(Stateless):
    """Uniformly drawn tasks of the stage's group size; the hard ones get more."""

    def __init__(self, options: DarsOptions, context: BuildContext | None = None) -> None:
        super().__init__()
        self.options = options

    def next(self, k: int, context: CurriculumContext) -> Sequence[Task]:
        self._rounds.begins(context)
        return self._rounds.draw(k, context)

    def more(self, groups: Sequence[Group], context: CurriculumContext) -> Sequence[Ask]:
        new = [group for group in groups if not group.known]
        return self._rounds.ask({group.task: further(*counts(group), self.options) for group in new})


def further(passes: int, size: int, options: DarsOptions) -> int:
    """Further samples of a task with so many passes in its first `size` samples."""
    if not size or passes / size >= options.below:
        return 0
    rate = (passes or 0.5) / size
    gain = 2 * rate * (1 - rate)
    wanted = size / 2 if options.schedule == "equal" else 2 * (1 - rate) * size / 2
    # Not a sample more for the rounding of a quotient that is whole.
    return max(0, min(options.most, ceil((wanted - size * gain) / gain - 1e-9)))
