"""Shaper `diet`: A = A_outcome - strength * ease * A_length, each normalised within the group by itself.

Weighting the two rewards before one normalisation, the obvious way, lets the deviation of their sum decide
how much each counts: a group in which all answers are right has only length in its deviation, and the penalty
is blown up to full size whatever its weight (arXiv 2505.19217, on advantage weighting). Here the weight stays
what it says.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from harness.contract import BuildContext, Difficulty, Group

from harness_diet.ease import Ease
from harness_diet.options import DietOptions


def standardised(lengths: Sequence[int], counted: Sequence[bool], epsilon: float) -> list[float]:
    """(length - mean) / (deviation + epsilon) over those that count, 0 for the others and if none
    differ."""
    known = [length for length, counts in zip(lengths, counted, strict=True) if counts]
    if len(known) < 2 or max(known) == min(known):
        return [0.0] * len(lengths)
    mean = sum(known) / len(known)
    deviation = math.sqrt(sum((length - mean) ** 2 for length in known) / (len(known) - 1))
    return [
        (length - mean) / (deviation + epsilon) if counts else 0.0
        for length, counts in zip(lengths, counted, strict=True)
    ]


class Diet:
    """A length penalty on advantages (protocol `Shaper`), with the posterior of difficulty as its state."""

    def __init__(self, options: DietOptions | None, context: BuildContext) -> None:
        self.options = options or DietOptions()
        self.ease = Ease(self.options)

    def rewards(self, group: Group, label: Difficulty | None) -> Sequence[float | None]:
        """Rewards of shape (G,): as they are."""
        self.ease.observe(group)
        return group.rewards

    def advantages(self, group: Group, label: Difficulty | None) -> Sequence[float]:
        """Advantages of shape (G,).

        Raises:
            DataError: the difficulty is to come from a label, and there is none.
        """
        weight = self.options.strength * self.pressure(group.step) * self.ease.of(group, label)
        counted = [
            reward is not None and (self.options.of == "all" or status == "pass")
            for reward, status in zip(group.rewards, group.statuses, strict=True)
        ]
        lengths = standardised(group.lengths, counted, self.options.epsilon)
        return [
            advantage - weight * length for advantage, length in zip(group.advantages, lengths, strict=True)
        ]

    def pressure(self, step: int) -> float:
        """Share of the strength at a step, in [0, 1]: 0 at the start of each cycle, 1 in its middle."""
        if self.options.cycle is None:
            return 1.0
        return (1 - math.cos(2 * math.pi * step / self.options.cycle)) / 2

    def state_dict(self) -> dict[str, Any]:
        return self.ease.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.ease.load_state_dict(state)
