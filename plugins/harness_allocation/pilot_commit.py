"""Curriculum `pilot-commit`: commits to pilots of medium pass rate (arXiv 2605.26606, section 3).

Every task gets a pilot of P samples. Those with a pass rate in [low, high] are committed to, the greatest
variance first: they get N - P more. A task whose pilots all passed is left out from then on, as in the
paper: every sample of the pilot was judged, and passed. Strata are never left out, for they never repeat a
task, and one lucky pilot says little of the next tasks. If what is left cannot fill a step, tasks that were
left out fill it. The public code (databricks/pilot-commit) commits from a buffer of pilots that are up to
four steps old, with stored log-probabilities; here a pilot is committed to in its own step or not at all, so
that training stays on-policy. The paper's P is 32, where a perfect pilot says much and the window cuts on
both sides; with the default of 4 each mixed pilot lies in the window, as in `speed`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness_curricula.evidence import comes_again, outcomes
from harness_curricula.values import Values

from harness.contract import Ask, BuildContext, CurriculumContext, Group, StepMetrics
from harness_allocation.options import PilotCommitOptions
from harness_allocation.rounds import Rounds, counts


class PilotCommit:
    """Pilots, and commitments to the best of them."""

    def __init__(self, options: PilotCommitOptions, context: BuildContext | None = None) -> None:
        self.options = options
        self._rounds = Rounds()
        #: Pilots in a row that all passed, by the one task of a finite source's subject.
        self._perfect = Values([0.0])

    def next(self, k: int, context: CurriculumContext) -> Sequence[Ask]:
        if self._rounds.begins(context):
            self.options.size(context)
        among = None
        if self.options.exclude_after:
            among = self._perfect.on(context.pool.subjects)[:, 0] < self.options.exclude_after
        tasks = self._rounds.draw(k, context, among)
        if among is not None and len(tasks) < k:
            tasks += self._rounds.draw(k - len(tasks), context, ~among)
        return [Ask(task, self.options.pilot) for task in tasks]

    def more(self, groups: Sequence[Group], context: CurriculumContext) -> Sequence[Ask]:
        options, whole = self.options, self.options.size(context)
        spread: dict[str, float] = {}
        for group in groups:
            passes, size = counts(group)
            if size and not group.known and group.size == options.pilot:
                rate = passes / size
                if options.low <= rate <= options.high:
                    spread[group.task] = rate * (1 - rate)
        best = sorted(spread, key=lambda task: -spread[task])
        if options.most:
            committed = sum(group.known > 0 for group in groups)
            best = best[: max(0, options.most - committed)]
        return self._rounds.ask(dict.fromkeys(best, whole - options.pilot))

    def observe(self, group: Group) -> None:
        passes, fails = outcomes(group)
        if comes_again(group) and not group.known:
            row = self._perfect.row(group.subject)
            if fails:
                row[0] = 0.0
            elif passes == self.options.pilot:
                row[0] += 1

    def finished(self, history: Sequence[StepMetrics]) -> str | None:
        return None

    def state_dict(self) -> dict[str, Any]:
        return {"perfect": self._perfect.state_dict(), "drawn": self._rounds.drawn()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._perfect, self._rounds = Values([0.0], state["perfect"]), Rounds(state["drawn"])
