"""When a learning curve crosses a threshold, and its area: what is needed to say how much an arm saves.

A curve is a sequence of (cost, score) points, one per evaluation, with costs that rise. What a run that
ended too early did not show is never guessed: it is bounded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

Curve = Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Crossing:
    """The cost at which a curve crosses a threshold, known to lie in [low, high].

    Both ends are the same for a curve that crossed. One that did not has the cost of its last evaluation
    below the threshold as `low` and no upper end (`high` is inf).
    """

    low: float
    high: float

    @property
    def crossed(self) -> bool:
        return self.high < inf

    @property
    def at(self) -> float | None:
        """The cost of the crossing; None without one."""
        return self.high if self.crossed else None


def crossing(curve: Curve, threshold: float) -> Crossing:
    """Where a curve first stays at or above the threshold for two evaluations in a row.

    The first of the two and the evaluation before it, which lies below, are joined by a straight line; the
    cost at which that line meets the threshold is the crossing. A curve that begins at or above the threshold
    crosses at its first point. A single evaluation above, the last one included, is no crossing.

    Raises:
        ValueError: there are no points.
    """
    if not curve:
        raise ValueError("a crossing needs a curve with at least one point")
    points = sorted(curve)
    below = points[0][0]
    for i, (cost, score) in enumerate(points):
        if score < threshold:
            below = cost
        elif i + 1 < len(points) and points[i + 1][1] >= threshold:
            if i == 0:
                return Crossing(cost, cost)
            before, lower = points[i - 1]
            at = before + (threshold - lower) / (score - lower) * (cost - before)
            return Crossing(at, at)
    return Crossing(below, inf)


def area(curve: Curve, end: float) -> float:
    """Mean score from cost 0 to `end`: the area under the curve by trapezoids, divided by `end`.

    Before its first point a curve counts as flat. Between points it is a straight line.

    Raises:
        ValueError: there are no points, `end` is not above 0, or the curve ends before it.
    """
    points = sorted(curve)
    if not points or not 0 < end <= points[-1][0]:
        raise ValueError(f"an area up to {end} needs a curve that reaches it and an end above 0")
    total, (last, height) = 0.0, points[0]
    total += min(last, end) * height
    for cost, score in points[1:]:
        if last >= end:
            break
        stop = min(cost, end)
        reached = score if cost == last else height + (score - height) * (stop - last) / (cost - last)
        total += (stop - last) * (height + reached) / 2
        last, height = cost, score
    return total / end
