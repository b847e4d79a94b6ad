"""Curriculum `learnability-pilot`: online learnability that pays less for groups that will not teach.

Subjects are drawn as by `learnability`. One whose posterior mean of the pass rate is below `hopeless` or
above `mastered` gets a pilot; the rest of its group comes only if the pilot has both passes and fails. What
is saved is not spent elsewhere: a step costs fewer rollouts. The price is a rare pass that a pilot misses,
which is why subjects between the bounds get whole groups at once. It is this project's own rule; its parts
are Thompson's (1933) draws and the pilots of Pilot-Commit (arXiv 2605.26606).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness_curricula.learnability import Learnability

from harness.contract import Ask, BuildContext, CurriculumContext, Group, StepMetrics
from harness_allocation.options import LearnabilityPilotOptions
from harness_allocation.rounds import Rounds


class LearnabilityPilot:
    """Learnability's tasks, some of them with a pilot first."""

    def __init__(self, options: LearnabilityPilotOptions, context: BuildContext | None = None) -> None:
        self.options = options
        self._inner, self._rounds = Learnability(options, context), Rounds()

    def next(self, k: int, context: CurriculumContext) -> Sequence[Ask]:
        options, whole = self.options, self.options.size(context)
        self._rounds.begins(context)
        tasks = self._inner.next(k, context)
        self._rounds.remember(tasks)
        means = self._inner.means([task.subject for task in tasks]).tolist()
        return [
            Ask(task, whole if options.hopeless <= mean <= options.mastered else options.pilot)
            for task, mean in zip(tasks, means, strict=True)
        ]

    def more(self, groups: Sequence[Group], context: CurriculumContext) -> Sequence[Ask]:
        options, whole = self.options, self.options.size(context)
        pilots = [
            group for group in groups if group.size == options.pilot and not group.known and group.mixed
        ]
        return self._rounds.ask(dict.fromkeys((g.task for g in pilots), whole - options.pilot))

    def observe(self, group: Group) -> None:
        self._inner.observe(group)

    def finished(self, history: Sequence[StepMetrics]) -> str | None:
        return None

    def state_dict(self) -> dict[str, Any]:
        return self._inner.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._inner.load_state_dict(state)
        self._rounds = Rounds()
