"""Curriculum `repo`: earlier samples of a task join when it comes again (RePO, arXiv 2506.09340, section 3).

Tasks are drawn uniformly. For each task of the batch, earlier samples of the same task form a second group,
whose advantages are computed among themselves, as the paper's split estimator does; the trainer's clipped
ratio is to the log-probabilities that they were sampled with. No sample comes twice in a step: of a stratum,
each fresh group gets another stored one, the newest first. Four strategies say which samples: recent,
best, random, variance. The public code (`replay_grpo_trainer.py`) keeps a deque per prompt; here it is the
stage's group store, which holds groups whose rewards differ.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from harness_curricula.drawing import Epochs, StepTasks

from harness.contract import BuildContext, CurriculumContext, Group, Sample, StepMetrics, Task
from harness_replay.options import RePoOptions
from harness_replay.stored import rewards, within


class RePo:
    """Uniformly drawn tasks, with earlier samples of them."""

    def __init__(self, options: RePoOptions, context: BuildContext | None = None) -> None:
        self.options = options
        self._epochs, self._step = Epochs(), StepTasks()

    def next(self, k: int, context: CurriculumContext) -> Sequence[Task]:
        self._step.begins(context)
        return self._epochs.draw(k, context, self._step)

    def replay(self, groups: Sequence[Group], context: CurriculumContext) -> Sequence[Group]:
        """A second group for each kept one of whose task, or subject, the store has samples."""
        if context.store is None:
            return ()
        of_task = self.options.by == "task"
        stored: dict[str, list[Group]] = {}
        for group in within(context.store, context, self.options.oldest):
            stored.setdefault(group.task if of_task else group.subject, []).append(group)
        made = []
        for group in groups:
            known = stored.get(group.task if of_task else group.subject, [])
            again = None
            while known and again is None:
                # A group is one task's: of a task all that is stored of it, of a stratum one group.
                taken = known[:] if of_task else known[-1:]
                del known[-len(taken) :]
                again = self._joined(taken, context.rng)
            if again is not None:
                made.append(again)
        return made

    def _joined(self, stored: Sequence[Group], rng: np.random.Generator) -> Group | None:
        """A group of stored samples of one task; None if there is nothing to compare, or if the strategy
        leaves samples of one reward where the stored ones differ."""
        samples = [sample for group in stored for sample in group.samples]
        if len(samples) < 2:
            return None
        whole = replace(stored[-1], samples=tuple(samples), known=0)
        chosen = replace(whole, samples=tuple(self._chosen(samples, rng)))
        return None if whole.mixed and not chosen.mixed else chosen

    def _chosen(self, samples: Sequence[Sample], rng: np.random.Generator) -> list[Sample]:
        """At most so many of the samples, the oldest first, by the strategy."""
        count, strategy = min(self.options.samples, len(samples)), self.options.strategy
        if strategy == "recent":
            return list(samples[-count:])
        if strategy == "random":
            return [samples[i] for i in sorted(rng.choice(len(samples), count, replace=False).tolist())]
        ordered = sorted(range(len(samples)), key=lambda i: (rewards([samples[i]])[0], i))
        if strategy == "best":
            return [samples[i] for i in ordered[-count:]]
        low = count // 2  # half of the lowest and half of the highest rewards vary most
        return [samples[i] for i in (*ordered[:low], *ordered[low - count :])]

    def observe(self, group: Group) -> None:
        """Outcomes do not change the draw."""

    def finished(self, history: Sequence[StepMetrics]) -> str | None:
        return None

    def state_dict(self) -> dict[str, Any]:
        return {"drawn": self._epochs.drawn()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._epochs, self._step = Epochs(state["drawn"]), StepTasks()
