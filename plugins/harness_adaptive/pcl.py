"""Curriculum `pcl`: the prompts that a learned value model puts nearest to one half (PCL, arXiv 2510.01135).

A step of m tasks draws k m candidates like any others and takes the m with the least

    |V(x) - tau|,    tau = 1/2

where V(x), the pass rate that is predicted of prompt x for the current policy, is trained on the outcomes of
each step beside the policy. No rollout is spent on prompts that are not taken.

Here V is a Bayesian logistic regression on features counted in the text (`harness_difficulty.predicting`) in
the place of the paper's language model, which is trained on the squared distance to the mean reward: it knows
less of a prompt, and costs milliseconds. The evidence of earlier steps fades by `memory` per step, as the
policy moves on. The rule is as the abstract and summaries of the paper give it; no public code of the authors
was found to compare with.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from harness_curricula.drawing import StepTasks, candidates
from harness_curricula.evidence import outcomes
from harness_curricula.index import Flags, Floats, Indices
from harness_difficulty.predicting import Predictor, read

from harness.contract import BuildContext, CurriculumContext, Group, StepMetrics, Task
from harness_adaptive.options import PclOptions


class Pcl:
    """Candidates whose predicted pass rates are nearest to the target."""

    def __init__(self, options: PclOptions, context: BuildContext | None = None) -> None:
        self.options = options
        self._value, self._step = Predictor(), StepTasks()
        #: What was read of the step's tasks, by task.
        self._seen: dict[str, Floats] = {}
        #: Of the last step's groups what was read, passes and samples: it is learned as a batch when the next
        #: step begins.
        self._batch: list[tuple[Floats, int, int]] = []

    def next(self, k: int, context: CurriculumContext) -> Sequence[Task]:
        if self._step.begins(context):
            self._learn()
            self._seen = {}
        rng = context.rng

        def pick(count: int, exhausted: Flags) -> Indices:
            return candidates(np.flatnonzero(~exhausted), count, rng)

        tried = self._step.draw(self.options.candidates * k, context, pick)
        seen = read([task.prompt for task in tried])
        nearest = np.argsort(np.abs(self._value(seen).mean - self.options.target), kind="stable").tolist()
        self._step.give_back(tried[i] for i in nearest[k:])
        self._seen.update({tried[i].id: seen[i] for i in nearest[:k]})
        return [tried[i] for i in nearest[:k]]

    def _learn(self) -> None:
        if self._batch:
            seen, passes, samples = (
                np.array(column, dtype=np.float64) for column in zip(*self._batch, strict=True)
            )
            self._value.fade(self.options.memory)
            self._value.learn(seen, passes, samples)
            self._batch = []

    def observe(self, group: Group) -> None:
        passes, fails = outcomes(group)
        seen = self._seen.get(group.task)
        if seen is not None and passes + fails:
            self._batch.append((seen, passes, passes + fails))

    def finished(self, history: Sequence[StepMetrics]) -> str | None:
        return None

    def state_dict(self) -> dict[str, Any]:
        batch = [[seen.tolist(), passes, samples] for seen, passes, samples in self._batch]
        return {"value": self._value.state_dict(), "batch": batch}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._value, self._step, self._seen = Predictor(), StepTasks(), {}
        self._value.load_state_dict(state["value"])
        self._batch = [
            (np.array(seen, dtype=np.float64), int(passes), int(samples))
            for seen, passes, samples in state["batch"]
        ]
