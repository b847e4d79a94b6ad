"""A score with its rerun and its benchmark interval.

For N problems with k samples each, problem means m_i and within-problem variances s_i^2:
the rerun variance of the mean is `sum(s_i^2 / k) / N^2`, the benchmark variance `var(m_i) / N`, that
is, problems are clusters of samples (Miller 2024, arXiv 2411.00640, sections 2.1 and 2.2). Both become Wilson
intervals with the effective sample size that gives this variance, as is done for clustered surveys
(Korn and Graubard 1998; Wilson 1927), so that no interval leaves [0, 1] and none is empty at 0 or 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy import special


@dataclass(frozen=True, slots=True)
class Interval:
    """A confidence interval; `se` is the standard error behind it, `method` says how it was made."""

    low: float
    high: float
    se: float
    method: str
    level: float = 0.95

    @property
    def half(self) -> float:
        return (self.high - self.low) / 2


@dataclass(frozen=True, slots=True)
class Score:
    """A mean score over problems, in [0, 1], with both intervals."""

    value: float
    problems: int
    samples: int
    #: The same problems, new samples.
    rerun: Interval
    #: The problems as a sample, clustered.
    benchmark: Interval


def wilson(passes: float, samples: float, level: float = 0.95) -> Interval:
    """Wilson's score interval for a pass rate (Wilson 1927); (0, 1) without samples."""
    if samples <= 0:
        return Interval(0.0, 1.0, float("nan"), "wilson", level)
    rate = passes / samples
    return _wilson(rate, samples, float(special.ndtri((1 + level) / 2)), "wilson", level)


def beta(passes: float, samples: float, level: float = 0.95, prior: float = 1.0) -> Interval:
    """Equal-tailed posterior interval of a pass rate under a Beta(prior, prior) prior (1: uniform)."""
    a, b = passes + prior, samples - passes + prior
    low, high = special.betaincinv(a, b, [(1 - level) / 2, (1 + level) / 2])
    sd = (a * b / (a + b + 1)) ** 0.5 / (a + b)
    return Interval(float(low), float(high), float(sd), f"beta({prior:g})", level)


def score_counts(passes: npt.ArrayLike, samples: npt.ArrayLike, level: float = 0.95) -> Score:
    """The mean pass rate of problems given as counts, shapes (problems,); see `score_samples`."""
    c = np.atleast_1d(np.asarray(passes, dtype=float))
    n = np.broadcast_to(np.asarray(samples, dtype=float), c.shape)
    _need(c.size > 0, "a score needs at least one problem")
    _need(bool((n > 0).all()), "a problem has no samples")
    _need(bool((c >= 0).all() and (c <= n).all()), "passes must lie between 0 and the samples")
    rates = c / n
    with np.errstate(divide="ignore", invalid="ignore"):
        within = np.where(n > 1, rates * (1 - rates) * n / (n - 1), np.nan)
    return _score(rates, within, n, level)


def score_samples(scores: Sequence[Sequence[float]], level: float = 0.95) -> Score:
    """The mean score of problems given as their samples' scores in [0, 1] (fractions allowed).

    Raises:
        ValueError: no problem, a problem without samples, or a score outside [0, 1].
    """
    _need(len(scores) > 0, "a score needs at least one problem")
    rows = [np.asarray(row, dtype=float) for row in scores]
    _need(all(row.size for row in rows), "a problem has no samples")
    _need(all(row.min() >= 0 and row.max() <= 1 for row in rows), "scores must lie in [0, 1]")
    within = [float(row.var(ddof=1)) if row.size > 1 else np.nan for row in rows]
    sizes = [row.size for row in rows]
    return _score(
        np.array([row.mean() for row in rows]), np.array(within), np.array(sizes, dtype=float), level
    )


def over_problems(values: npt.ArrayLike, level: float = 0.95) -> Interval:
    """The interval of a mean over problems, values in [0, 1] of shape (problems,): the problems are a sample.

    Raises:
        ValueError: there are no problems, or a value lies outside [0, 1].
    """
    x = np.asarray(values, dtype=float)
    _need(x.size > 0, "an interval needs at least one problem")
    _need(bool((x >= 0).all() and (x <= 1).all()), "values must lie in [0, 1]")
    return _benchmark(x, 1.0 / x.size**2, level)


def _score(
    means: npt.NDArray[np.float64], within: npt.NDArray[np.float64], n: npt.NDArray[np.float64], level: float
) -> Score:
    problems, samples, value = means.size, float(n.sum()), float(means.mean())
    # One sample says nothing of its problem's variance: what all single samples show together,
    # between-problem spread included, is an upper bound for it.
    single = ~np.isfinite(within)
    pooled = value * (1 - value)
    filled = np.where(single, pooled, within)
    parts = filled / n
    rerun_variance = float(parts.sum()) / problems**2
    # Few samples per problem leave the variance uncertain: Satterthwaite's degrees of freedom (1946).
    spread = float((parts[~single] ** 2 / (n[~single] - 1)).sum())
    freedom = float(parts.sum()) ** 2 / spread if spread > 0 else np.inf
    z = student((1 + level) / 2, max(freedom, 1.0))
    # Never finer than one sample, the resolution of the score itself.
    floor = 1.0 / samples**2
    rerun_method = "wilson, within-problem variance"
    if single.any():
        rerun_method += " (upper bound: one sample per problem)"
    rerun = _effective(value, max(rerun_variance, floor), samples, z, rerun_method, level)
    return Score(value, problems, int(samples), rerun, _benchmark(means, floor, level))


def _benchmark(means: npt.NDArray[np.float64], floor: float, level: float) -> Interval:
    """The problems as clusters; `floor` is the smallest variance of their mean that could be seen."""
    problems, value = means.size, float(means.mean())
    if problems == 1:
        return Interval(0.0, 1.0, float("nan"), "one problem says nothing of others", level)
    variance = max(float(means.var(ddof=1)) / problems, floor)
    t = student((1 + level) / 2, problems - 1)
    return _effective(value, variance, float(problems), t, "wilson, problems as clusters", level)


def _effective(
    value: float, variance: float, fallback: float, z: float, method: str, level: float
) -> Interval:
    """Wilson's interval with the sample size at which a binomial rate has this variance."""
    spread = value * (1 - value)
    size = spread / variance if spread > 0 else fallback
    made = _wilson(value, size, z, method, level)
    return Interval(made.low, made.high, variance**0.5, method, level)


def _wilson(rate: float, size: float, z: float, method: str, level: float) -> Interval:
    centre = (rate + z * z / (2 * size)) / (1 + z * z / size)
    half = z / (1 + z * z / size) * (rate * (1 - rate) / size + z * z / (4 * size * size)) ** 0.5
    # Rounding must not push an end past the rate itself.
    low, high = min(max(centre - half, 0.0), rate), max(min(centre + half, 1.0), rate)
    return Interval(low, high, (rate * (1 - rate) / size) ** 0.5, method, level)


@lru_cache(maxsize=4096)
def student(p: float, freedom: float) -> float:
    """The quantile of Student's t. `scipy.stats` would cost every evaluation 50 MB and half a second."""
    return float(special.ndtri(p) if freedom == np.inf else special.stdtrit(freedom, p))


def _need(true: bool, message: str) -> None:
    if not true:
        raise ValueError(message)
