"""Repeating a training run: means over seeds, their differences, and when a curve first arrives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.statistics.intervals import Interval, student


@dataclass(frozen=True, slots=True)
class Spread:
    """A number measured once per seed."""

    values: tuple[float, ...]
    mean: float
    median: float
    low: float
    high: float
    #: Student's t interval of the mean; None from a single seed, which says nothing of others.
    interval: Interval | None


def spread(values: Sequence[float], level: float = 0.95) -> Spread:
    """Mean with Student's t interval, median and range of one number per seed.

    Raises:
        ValueError: there are no values, or one is not finite.
    """
    x = np.asarray(values, dtype=float)
    if x.size == 0 or not np.isfinite(x).all():
        raise ValueError(f"a spread needs finite values, not {list(values)}")
    mean, interval = float(x.mean()), None
    if x.size > 1:
        se = float(x.std(ddof=1)) / x.size**0.5
        half = student((1 + level) / 2, x.size - 1) * se
        interval = Interval(mean - half, mean + half, se, "t over seeds", level)
    return Spread(tuple(map(float, x)), mean, float(np.median(x)), float(x.min()), float(x.max()), interval)


def welch_p(a: Sequence[float], b: Sequence[float]) -> float:
    """Two-sided p-value of Welch's t test between two arms' seeds (Welch 1947).

    1.0 if an arm has a single seed, which cannot separate anything.
    """
    x, y = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    if x.size < 2 or y.size < 2:
        return 1.0
    if x.var(ddof=1) + y.var(ddof=1) < 1e-18:
        # No spread at all: seeds that agree to the last digit, as a deterministic recipe gives.
        return 1.0 if abs(x.mean() - y.mean()) < 1e-12 else 0.0
    from scipy import stats

    return float(stats.ttest_ind(x, y, equal_var=False).pvalue)


def detectable_over_seeds(
    a: Sequence[float], b: Sequence[float], *, power: float = 0.8, level: float = 0.05
) -> float:
    """The smallest true difference of means that Welch's test would have seen with this power.

    Sum of the t quantiles at Welch's degrees of freedom; inf from single seeds.
    """
    x, y = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    if x.size < 2 or y.size < 2:
        return float("inf")
    u, v = x.var(ddof=1) / x.size, y.var(ddof=1) / y.size
    if u + v < 1e-18:
        return 0.0
    freedom = (u + v) ** 2 / (u**2 / (x.size - 1) + v**2 / (y.size - 1))
    return float((student(1 - level / 2, freedom) + student(power, freedom)) * (u + v) ** 0.5)


@dataclass(frozen=True, slots=True)
class Passage:
    """When the curves of one arm first reached a threshold."""

    threshold: float
    #: Cost at the first evaluation at or above the threshold, by seed; None if it never came.
    by_seed: tuple[float | None, ...]
    #: How far each seed was run.
    until: tuple[float, ...]

    @property
    def reached(self) -> int:
        return sum(value is not None for value in self.by_seed)

    @property
    def all_reached(self) -> bool:
        return self.reached == len(self.by_seed)

    @property
    def median(self) -> float | None:
        """Median over seeds, those that never arrived counting as later than all others; None
        if the median seed never arrived."""
        ordered = sorted(float("inf") if v is None else v for v in self.by_seed)
        middle = len(ordered) // 2
        value = ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2
        return None if np.isinf(value) else value

    @property
    def spread(self) -> Spread | None:
        """Mean and interval, only when every seed arrived: leaving out those that did not would
        flatter the arm."""
        if not self.by_seed or not self.all_reached:
            return None
        return spread([v for v in self.by_seed if v is not None])


def first_passage(curves: Sequence[Sequence[tuple[float, float]]], threshold: float) -> Passage:
    """First evaluation at or above `threshold` on each curve of (cost, score) points.

    No interpolation: between two evaluations nothing was measured. A noisy curve may touch the
    threshold early; show the curves beside it.
    """
    reached: list[float | None] = []
    until: list[float] = []
    for curve in curves:
        ordered = sorted(curve)
        reached.append(next((cost for cost, score in ordered if score >= threshold), None))
        until.append(ordered[-1][0] if ordered else 0.0)
    return Passage(threshold, tuple(reached), tuple(until))
