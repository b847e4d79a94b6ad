"""Shaper `length-penalty`: brief answers to easy tasks, long thoughts on hard ones.

The idea of DiPO (arXiv 2601.21418): a penalty on length, modulated by the policy's own measured
difficulty. Among a group's right answers, the longest loses `strength * p` of its reward and the
shortest nothing, where p is the subject's pass rate: measured if there is a label, else the group's.
"""

from __future__ import annotations

from collections.abc import Sequence

from harness.contract import BuildContext, Difficulty, Group
from harness_curricula.options import LengthPenaltyOptions


class LengthPenalty:
    """Scales the rewards of right answers by their length and by how easy the subject is."""

    def __init__(self, options: LengthPenaltyOptions, context: BuildContext | None = None) -> None:
        self.options = options

    def rewards(self, group: Group, label: Difficulty | None) -> Sequence[float | None]:
        """Rewards of shape (G,); wrong, truncated and masked rollouts keep theirs."""
        right = [
            i for i, reward in enumerate(group.rewards) if reward is not None and group.statuses[i] == "pass"
        ]
        if not right:
            return group.rewards
        known = sum(reward is not None for reward in group.rewards)
        ease = len(right) / known if label is None else label.mean
        shortest = min(group.lengths[i] for i in right)
        span = max(group.lengths[i] for i in right) - shortest
        shaped = list(group.rewards)
        for i in right if span else ():
            reward = group.rewards[i]
            assert reward is not None
            excess = (group.lengths[i] - shortest) / span
            shaped[i] = reward * (1 - self.options.strength * ease * excess)
        return shaped

    def advantages(self, group: Group, label: Difficulty | None) -> Sequence[float]:
        return group.advantages
