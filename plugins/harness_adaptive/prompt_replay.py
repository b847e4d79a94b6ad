"""Curriculum `prompt-replay`: prompts of medium difficulty come again (arXiv 2603.21177, section 3).

A prompt whose group had a pass rate between `low` and `high` enters a buffer. Up to `share` of a batch
comes from there, the pass rates nearest to one half first, each after a cooldown and at most `uses` times
between two fresh draws, that is, per epoch; the rest is fresh. Only prompts are used again, never
completions, so that training stays on-policy. Of a stratum, which never repeats a task, a fresh task comes
instead, so that `uses` counts draws of the stratum. The authors saw an early gain and a tie in the end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from harness_curricula.drawing import Epochs, StepTasks
from harness_curricula.evidence import outcomes
from harness_curricula.index import Flags, Indices
from harness_curricula.sharing import Sharing

from harness.contract import BuildContext, CurriculumContext, Group, StepMetrics, Task
from harness_adaptive.options import PromptReplayOptions


class PromptReplay:
    """Fresh prompts, and buffered ones near a pass rate of one half."""

    def __init__(self, options: PromptReplayOptions, context: BuildContext | None = None) -> None:
        self.options = options
        #: By subject: pass rate, the first step at which it may come again, and how often it came again since
        #: it was fresh. What has used that up stays, so that its last group is no new entry.
        self.buffer: dict[str, list[float]] = {}
        #: Ids of the step's tasks that come again.
        self._again: set[str] = set()
        self._steps = 0
        self._epochs, self._step, self._sharing = Epochs(), StepTasks(), Sharing(options.neighbours)

    def next(self, k: int, context: CurriculumContext) -> Sequence[Task]:
        if self._step.begins(context):
            self._steps += 1
            self._again = set()
        self._sharing.sees(context.pool.subjects)
        ready = {s for s, entry in self.buffer.items() if self._ready(*entry)}
        positions = {s: i for i, s in enumerate(context.pool.subjects) if s in ready} if ready else {}
        best = sorted(positions, key=lambda s: (abs(self.buffer[s][0] - 0.5), s))
        queue = [positions[s] for s in best[: int(self.options.share * k)]]

        def pick(count: int, exhausted: Flags) -> Indices:
            taken = np.array(queue[:count], dtype=np.int64)
            del queue[:count]
            return taken

        again = self._step.draw(len(queue), context, pick)
        for task in again:
            entry = self.buffer[task.subject]
            entry[1], entry[2] = self._rested, entry[2] + 1
        self._again.update(task.id for task in again)
        return again + self._epochs.draw(k - len(again), context, self._step)

    def _ready(self, rate: float, after: float, uses: float) -> bool:
        return after <= self._steps and uses < self.options.uses

    @property
    def _rested(self) -> int:
        """The first step at which a prompt of this one may come again."""
        return self._steps + 1 + self.options.cooldown

    def observe(self, group: Group) -> None:
        passes, fails = outcomes(group)
        if not passes + fails:
            return
        rate, options = passes / (passes + fails), self.options
        fresh = group.task not in self._again
        for subject, weight in self._sharing.weights(group.subject):
            known = self.buffer.get(subject)
            if known is not None:
                known[0] += weight * (rate - known[0])
                if not options.low <= known[0] <= options.high:
                    del self.buffer[subject]
                elif fresh and subject == group.subject:
                    known[1:] = self._rested, 0
            elif fresh and subject == group.subject and options.low <= rate <= options.high:
                self.buffer[subject] = [rate, self._rested, 0]

    def finished(self, history: Sequence[StepMetrics]) -> str | None:
        return None

    def state_dict(self) -> dict[str, Any]:
        return {"buffer": self.buffer, "steps": self._steps, "drawn": self._epochs.drawn()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.buffer = {str(s): [float(x) for x in entry] for s, entry in state["buffer"].items()}
        self._steps = int(state["steps"])
        self._epochs, self._step, self._again = Epochs(state["drawn"]), StepTasks(), set()
