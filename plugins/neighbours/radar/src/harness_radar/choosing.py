"""Which configuration answers a query: accuracy against cost, as one number.

A router wants P(pass) high and the cost low. Both scalarisations of the paper are here, with a weight `w` in
[0, 1] for accuracy and costs divided by the dearest one:

    linear      the largest   w p - (1 - w) c
    chebyshev   the smallest  max(w (1 - p), (1 - w) c)

The linear one reaches the convex part of the front of accuracy and cost alone; Chebyshev's reaches all of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Rule = Literal["linear", "chebyshev"]


def choose(passing: Floats, costs: Floats, weight: float, rule: Rule) -> int:
    """The place of the configuration to take; of equals the cheaper one, then the first.

    Args:
        passing: P(pass) by configuration, shape (configurations,).
        costs: of a sample, in any unit, same shape, at least 0.
        weight: of accuracy, in [0, 1].
        rule: how the two become one number.
    """
    dearest = float(costs.max())
    c = costs / dearest if dearest > 0 else costs
    if rule == "linear":
        loss = (1 - weight) * c - weight * passing
    else:
        loss = np.maximum(weight * (1 - passing), (1 - weight) * c)
    # Numbers that differ by rounding alone are equal, on every machine.
    return int(np.lexsort((np.arange(len(c)), c, np.round(loss, 12)))[0])


def front(points: Sequence[tuple[float, float]]) -> list[int]:
    """Places of the points (cost, accuracy) that no other one beats in both, from cheap to dear; of equal
    points the first."""
    order = sorted(range(len(points)), key=lambda i: (points[i][0], -points[i][1], i))
    kept: list[int] = []
    best = float("-inf")
    for i in order:
        if points[i][1] > best:
            kept.append(i)
            best = points[i][1]
    return kept


def hypervolume(points: Sequence[tuple[float, float]], reference: float) -> float:
    """Share of the rectangle from (0, 0) to (`reference`, 1) that points (cost, accuracy) dominate: 1 is a
    free configuration that is always right. In two dimensions it is the area under the front's steps.

    Args:
        points: cost in any unit, accuracy in [0, 1].
        reference: the cost at which a configuration is worth nothing, above 0.
    """
    area = 0.0
    worth = [(cost, accuracy) for cost, accuracy in points if cost < reference]
    steps = [worth[i] for i in front(worth)]
    for place, (cost, accuracy) in enumerate(steps):
        until = steps[place + 1][0] if place + 1 < len(steps) else reference
        area += (until - cost) * accuracy
    return area / reference
