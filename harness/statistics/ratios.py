"""The ratio of two arms' medians over paired seeds, with a bootstrap interval that honours what is unknown.

A value may be known only up to bounds (a run that ended before it crossed a threshold). The median is
monotone in each value, so bounds of the values give bounds of the medians and of their ratio. Each bootstrap
sample draws seeds, and takes both arms' runs of a drawn seed together (Efron 1979; percentile interval). The
lower end of the interval comes from the lower bounds and the upper end from the upper bounds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from harness.contract.seeds import generator

Floats = npt.NDArray[np.float64]
#: A value as (low, high): the same number twice if it is known.
Bounds = tuple[float, float]

#: Paired seeds that a claim needs: with fewer, a bootstrap of medians is far too narrow.
ENOUGH: Final = 10
RESAMPLES: Final = 20_000


@dataclass(frozen=True, slots=True)
class Ratio:
    """Median of an arm over the median of a baseline, known to lie in [low, high]."""

    low: float
    high: float
    #: Ends of the bootstrap interval, None below two seeds; inf if nothing bounds it from above.
    interval: tuple[float, float] | None
    seeds: int
    level: float = 0.95

    @property
    def value(self) -> float | None:
        """The ratio; None if only bounds of it are known."""
        return self.low if self.low == self.high else None

    @property
    def enough(self) -> bool:
        """Whether there are as many paired seeds as a claim needs."""
        return self.seeds >= ENOUGH


def median_ratio(
    arm: Sequence[Bounds], baseline: Sequence[Bounds], *, level: float = 0.95, resamples: int = RESAMPLES
) -> Ratio:
    """The ratio of medians over paired seeds.

    Args:
        arm, baseline: values by seed in the same order, as bounds (low, high), shape (seeds, 2).
        level: of the interval.
        resamples: bootstrap samples; their draws are the same in every call with as many seeds.

    Raises:
        ValueError: the two are of different length or empty, or a baseline's value is 0.
    """
    above, below = np.array(arm, dtype=np.float64), np.array(baseline, dtype=np.float64)
    if above.shape != below.shape or not len(above):
        raise ValueError(f"{len(above)} and {len(below)} values are not paired")
    if (below[:, 1] <= 0).any():
        raise ValueError("a baseline's value is 0, so there is no ratio to it")
    low, high = _ratio(above, below)
    seeds, interval = len(above), None
    if seeds > 1:
        drawn = generator("ratio of medians", seeds).integers(seeds, size=(resamples, seeds))
        lows, highs = _ratio(above[drawn], below[drawn])
        tail = (1 - level) / 2
        ends = np.sort(lows), np.sort(highs)
        interval = (
            float(ends[0][int(tail * (resamples - 1))]),
            float(ends[1][int(np.ceil((1 - tail) * (resamples - 1)))]),
        )
    return Ratio(float(low), float(high), interval, seeds, level)


def _ratio(arm: Floats, baseline: Floats) -> tuple[Floats, Floats]:
    """Bounds of the ratio of medians over the axis before the last; shapes (..., seeds, 2)."""
    ours, theirs = np.median(arm, axis=-2), np.median(baseline, axis=-2)
    # Lower ends are finite and a baseline's upper end is above 0, so that neither quotient is undefined; a
    # baseline whose lower end is 0 bounds nothing from above.
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        high = np.where(theirs[..., 0] > 0, ours[..., 1] / theirs[..., 0], np.inf)
    return ours[..., 0] / theirs[..., 1], high
