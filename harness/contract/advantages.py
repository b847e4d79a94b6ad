"""Group-normalised advantages, under the conventions that the recipe declares.

GRPO (arXiv 2402.03300): (r - mean) / (std + epsilon) within a task's group. Frameworks differ in
epsilon and in the deviation; one function here serves all trainers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal


def group_advantages(
    rewards: Sequence[float | None],
    *,
    epsilon: float,
    std: Literal["sample", "population", "none"],
) -> tuple[float, ...]:
    """Advantages of one group, shape (G,). Masked rewards (None) get 0 and do not count.

    A group whose rewards are all equal gets exactly 0 everywhere, never a rounding residue.
    """
    known = [r for r in rewards if r is not None]
    if len(known) < 2 or max(known) - min(known) <= 1e-12:
        return (0.0,) * len(rewards)
    mean = sum(known) / len(known)
    if std == "none":
        scale = 1.0
    else:
        degrees = len(known) - (1 if std == "sample" else 0)
        scale = (sum((r - mean) ** 2 for r in known) / degrees) ** 0.5 + epsilon
    return tuple(0.0 if r is None else (r - mean) / scale for r in rewards)
