"""Curriculum `reinforce-ada`: rounds until a task has enough (Reinforce-Ada, arXiv 2510.04996, section 3).

A task gets rounds of samples until it has half of `group_size` passes and as many fails (`balanced`), or
one pass (`positive`), or its rounds are used up. The public code (`ray_trainer.py`) then keeps `group_size`
samples, with the baseline of all; here all samples are trained on, so that the group's own mean is that
baseline.
"""

from __future__ import annotations

from collections.abc import Sequence

from harness.contract import Ask, BuildContext, CurriculumContext, Group
from harness_allocation.options import ReinforceAdaOptions
from harness_allocation.rounds import Stateless, counts


class ReinforceAda(Stateless):
    """Uniformly drawn tasks, asked again until they have enough."""

    def __init__(self, options: ReinforceAdaOptions, context: BuildContext | None = None) -> None:
        super().__init__()
        self.options = options

    def next(self, k: int, context: CurriculumContext) -> Sequence[Ask]:
        self._rounds.begins(context)
        return [Ask(task, self.options.round) for task in self._rounds.draw(k, context)]

    def more(self, groups: Sequence[Group], context: CurriculumContext) -> Sequence[Ask]:
        options = self.options
        half = options.size(context) // 2
        most = options.round * options.rounds
        open_ = [group for group in groups if group.size < most and not self._enough(group, half)]
        return self._rounds.ask({group.task: options.round for group in open_})

    def _enough(self, group: Group, half: int) -> bool:
        passes, judged = counts(group)
        if self.options.until == "positive":
            return passes > 0
        return passes >= half and judged - passes >= half
