"""Curriculum `vcrl`: groups without variance give way to a memory (VCRL, arXiv 2509.19803, section 3).

The variance of a group with k passes of G is k (G - k) / (G (G - 1)); as a share of the greatest one it is
the group's score. A score of at least the threshold puts the task into the memory, with the priority

    P <- alpha P + (1 - alpha) score

and as many places of the next batch as had lower scores go to the tasks of highest priority, each once. With
a mixture, places are those of the part whose groups scored low. A task whose priority falls below the
threshold leaves the memory: what is mastered has nothing more to teach. The paper fills these places within
the step; here a gate such as `mixed-outcomes` does that, whose refills also come from the memory. No code of
the authors is public.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from harness_curricula.drawing import Epochs, StepTasks
from harness_curricula.evidence import outcomes
from harness_curricula.index import Flags, Indices
from harness_curricula.sharing import Sharing

from harness.contract import BuildContext, CurriculumContext, Group, StepMetrics, Task
from harness_adaptive.options import VcrlOptions


class Vcrl:
    """Fresh tasks, and remembered ones in the place of groups that taught little."""

    def __init__(self, options: VcrlOptions, context: BuildContext | None = None) -> None:
        self.options = options
        #: Priorities of remembered tasks.
        self.memory: dict[str, float] = {}
        #: Groups by subject, since its part of the pool was last drawn from, whose places go to the memory.
        self._free: Counter[str] = Counter()
        self._epochs, self._step, self._sharing = Epochs(), StepTasks(), Sharing(options.neighbours)

    def next(self, k: int, context: CurriculumContext) -> Sequence[Task]:
        self._step.begins(context)
        subjects = context.pool.subjects
        self._sharing.sees(subjects)
        tasks: list[Task] = []
        if self._free:
            position = {s: i for i, s in enumerate(subjects) if s in self.memory or s in self._free}
            wanted = min(k, sum(self._free.pop(subject, 0) for subject in position))
            position = {subject: i for subject, i in position.items() if subject in self.memory}
            best = sorted(position, key=lambda subject: (-self.memory[subject], subject))[:wanted]
            queue = [position[subject] for subject in best]

            def pick(count: int, exhausted: Flags) -> Indices:
                taken = np.array(queue[:count], dtype=np.int64)
                del queue[:count]
                return taken

            tasks = self._step.draw(wanted, context, pick)
        return tasks + self._epochs.draw(k - len(tasks), context, self._step)

    def observe(self, group: Group) -> None:
        passes, fails = outcomes(group)
        score = variance(passes, passes + fails)
        if score is None:
            return
        threshold, alpha = self.options.threshold, self.options.momentum
        if score < threshold:
            self._free[group.subject] += 1
        for subject, weight in self._sharing.weights(group.subject):
            if subject in self.memory and subject != group.subject:
                continue  # its own outcomes say more
            priority = weight * score
            if subject in self.memory:
                priority = alpha * self.memory.pop(subject) + (1 - alpha) * score
            if priority >= threshold:
                self.memory[subject] = priority
        while len(self.memory) > self.options.memory:
            del self.memory[min(self.memory, key=lambda subject: (self.memory[subject], subject))]

    def finished(self, history: Sequence[StepMetrics]) -> str | None:
        return None

    def state_dict(self) -> dict[str, Any]:
        return {"memory": self.memory, "free": dict(self._free), "drawn": self._epochs.drawn()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.memory = {str(subject): float(p) for subject, p in state["memory"].items()}
        self._free = Counter({str(subject): int(n) for subject, n in state["free"].items()})
        self._epochs, self._step = Epochs(state["drawn"]), StepTasks()


def variance(passes: int, size: int) -> float | None:
    """A group's variance as a share of the greatest one that its size allows; None below two samples."""
    if size < 2:
        return None
    half = size // 2
    return passes * (size - passes) / (half * (size - half))
