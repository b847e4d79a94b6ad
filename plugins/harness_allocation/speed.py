"""Curriculum `speed`: small pilots, the rest only if it teaches (SPEED, arXiv 2506.09016, section 4).

A task is screened with `pilot` samples. If its pilot has both passes and fails it gets `rest` more, and
both phases are trained on together. The public code (`data_controller.py`) asks for the rest in the next
generation call, a step later; here it is the same step, so that all samples come from one policy. Tasks
that fail the screening stay small and are not replaced: that is the saving. With the gate `mixed-outcomes`
they are replaced, which is the paper's constant batch.
"""

from __future__ import annotations

from collections.abc import Sequence

from harness.contract import Ask, BuildContext, CurriculumContext, Group
from harness_allocation.options import SpeedOptions
from harness_allocation.rounds import Stateless


class Speed(Stateless):
    """Screened tasks; those with mixed pilots go on."""

    def __init__(self, options: SpeedOptions, context: BuildContext | None = None) -> None:
        super().__init__()
        self.options = options

    def next(self, k: int, context: CurriculumContext) -> Sequence[Ask]:
        self._rounds.begins(context)
        return [Ask(task, self.options.pilot) for task in self._rounds.draw(k, context)]

    def more(self, groups: Sequence[Group], context: CurriculumContext) -> Sequence[Ask]:
        new = [group for group in groups if group.size <= self.options.pilot and not group.known]
        return self._rounds.ask({group.task: self.options.rest for group in new if group.mixed})
