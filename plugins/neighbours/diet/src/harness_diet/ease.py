"""How easy a subject is for the policy: from one group, from all groups so far, or from a measurement."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.contract import DataError, Difficulty, Group

from harness_diet.options import EaseOptions


class Ease:
    """Pass rates in [0, 1], 1 the easiest. Only the posterior has a state."""

    def __init__(self, options: EaseOptions) -> None:
        self.options = options
        #: Subject -> passes and failures, the older the less.
        self.counts: dict[str, tuple[float, float]] = {}

    def observe(self, group: Group) -> None:
        """Learn from the group's samples that are new and could be judged."""
        if self.options.difficulty != "posterior":
            return
        judged = [sample.verdict.status == "pass" for sample in group.fresh if sample.judged]
        if judged:
            passes, fails = self.counts.get(group.subject, (0.0, 0.0))
            # More samples of a group that is known already are no further group.
            decay = 1.0 if group.known else self.options.decay
            self.counts[group.subject] = (
                decay * passes + sum(judged),
                decay * fails + len(judged) - sum(judged),
            )

    def of(self, group: Group, label: Difficulty | None) -> float:
        """The pass rate of the group's subject: 0 for a group of which nothing could be judged.

        Raises:
            DataError: the difficulty is to come from a label, and there is none.
        """
        if self.options.difficulty == "none":
            return 1.0
        if self.options.difficulty == "label":
            if label is None:
                raise DataError(
                    f"subject {group.subject!r} has no label to take the difficulty from",
                    where="shaper of staged-harness-diet, difficulty = 'label'",
                    allowed="'group', 'posterior', or 'label' with something that measures",
                    hint="configure [difficulty] and a stage that selects or re-measures",
                )
            return label.mean
        if self.options.difficulty == "posterior":
            passes, fails = self.counts.get(group.subject, (0.0, 0.0))
            # Beta(1, 1) before anything was seen.
            return (passes + 1) / (passes + fails + 2)
        judged = [sample.verdict.status == "pass" for sample in group.samples if sample.judged]
        return sum(judged) / len(judged) if judged else 0.0

    def state_dict(self) -> dict[str, Any]:
        return {subject: list(counts) for subject, counts in self.counts.items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.counts = {subject: (float(passes), float(fails)) for subject, (passes, fails) in state.items()}
