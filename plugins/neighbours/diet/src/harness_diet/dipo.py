"""Shaper `dipo`: a right answer's reward, less a share that grows with its length and with how easy the
subject is.

    reward * (1 - strength * ease * (length - shortest) / (longest - shortest))

over the group's right answers (after arXiv 2601.21418). Wrong answers keep their reward: none is right for
being short.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.contract import BuildContext, Difficulty, Group

from harness_diet.ease import Ease
from harness_diet.options import DipoOptions


class Dipo:
    """A length penalty on rewards (protocol `Shaper`), with the posterior of difficulty as its state."""

    def __init__(self, options: DipoOptions | None, context: BuildContext) -> None:
        self.options = options or DipoOptions()
        self.ease = Ease(self.options)

    def rewards(self, group: Group, label: Difficulty | None) -> Sequence[float | None]:
        """Rewards of shape (G,).

        Raises:
            DataError: the difficulty is to come from a label, and there is none.
        """
        self.ease.observe(group)
        ease = self.ease.of(group, label)
        right = [sample.tokens for sample in group.samples if sample.reward is not None and _passed(sample)]
        if not right or max(right) == min(right):
            return group.rewards
        weight = self.options.strength * ease / (max(right) - min(right))
        return [
            sample.reward * (1 - weight * (sample.tokens - min(right)))
            if sample.reward is not None and _passed(sample)
            else sample.reward
            for sample in group.samples
        ]

    def advantages(self, group: Group, label: Difficulty | None) -> Sequence[float]:
        """Advantages of shape (G,): as they are."""
        return group.advantages

    def state_dict(self) -> dict[str, Any]:
        return self.ease.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.ease.load_state_dict(state)


def _passed(sample: Any) -> bool:
    return bool(sample.verdict.status == "pass")
