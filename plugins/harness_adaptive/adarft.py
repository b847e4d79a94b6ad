"""Curriculum `adarft`: a target difficulty that follows the reward (AdaRFT, arXiv 2504.05520, algorithm 1).

    T <- clip(T + eta tanh(alpha (mean reward - beta)), low, high)

once per training step, with the mean reward of the step; a batch has the tasks whose difficulty
d = 100 (1 - pass rate) is nearest to T. Difficulties are labels, the policy's own or a published model's. The
public code (verl fork, `custom_sampler.py`) sorts the whole data set by abs(d - T), as here; of strata, which
have no last task, the nearest stratum gives the batch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import tanh
from typing import Any

import numpy as np
from harness_curricula.drawing import StepTasks, nearest_first
from harness_curricula.index import Floats

from harness.contract import BuildContext, CurriculumContext, Group, StepMetrics, Task, TrainingError
from harness_adaptive.options import AdaRftOptions


class AdaRft:
    """Tasks nearest to the target difficulty."""

    def __init__(self, options: AdaRftOptions, context: BuildContext | None = None) -> None:
        self.options = options
        published = {} if context is None else context.labels.get(options.model, {})
        self._published = published if options.model != "policy" else None
        self.target = min(max(options.start, options.low), options.high)
        #: Sum and number of the rewards of this step.
        self._rewards = [0.0, 0.0]
        self._step = StepTasks()

    def next(self, k: int, context: CurriculumContext) -> Sequence[Task]:
        """Raises TrainingError if no subject of the pool has a label, so that nothing could be ordered."""
        if self._step.begins(context):
            self._move()
        distance = np.abs(self._difficulties(context) - self.target)
        return self._step.draw(k, context, nearest_first(distance, context.rng))

    def _move(self) -> None:
        total, number = self._rewards
        if number:
            options = self.options
            moved = self.target + options.step * tanh(options.sensitivity * (total / number - options.target))
            self.target = min(max(moved, options.low), options.high)
            self._rewards = [0.0, 0.0]

    def _difficulties(self, context: CurriculumContext) -> Floats:
        labels = context.pool.labels if self._published is None else self._published
        known = list(map(labels.get, context.pool.subjects))
        rates = [None if label is None or not label.known else label.pass_rate for label in known]
        if rates.count(None) == len(rates):
            raise TrainingError(
                f"curriculum 'adarft': none of {len(rates)} subjects has a label of {self.options.model!r}",
                where=f"stage {context.stage!r}",
                hint="labels are by subject or task id; `harness show RUN --labels` prints a run's own",
            )
        return 100 * (1 - np.array([0.5 if rate is None else rate for rate in rates]))

    def observe(self, group: Group) -> None:
        rewards = [sample.reward for sample in group.fresh if sample.reward is not None]
        self._rewards = [self._rewards[0] + sum(rewards), self._rewards[1] + len(rewards)]

    def finished(self, history: Sequence[StepMetrics]) -> str | None:
        return None

    def state_dict(self) -> dict[str, Any]:
        return {"target": self.target, "rewards": list(self._rewards)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.target, self._rewards = float(state["target"]), [float(x) for x in state["rewards"]]
        self._step = StepTasks()
