"""Many results on the same problems, each tested against each: which pairs a test separates.

The paired permutation test of `harness.statistics.paired` in its normal form: under sign flips the sum of
the differences has mean 0 and variance `sum(d^2)` (Good 2005, section 3.2). Drawn patterns end at 1/20,000,
which no correction for thousands of pairs survives; the normal tail does not end. Corrected over all pairs
(Bonferroni).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import special

Floats = npt.NDArray[np.float64]
#: Rows that are held against all others at once: bounds the memory.
BLOCK: Final = 256


@dataclass(frozen=True, slots=True)
class Separations:
    """What all pairs say of each result, results best first."""

    #: Better results that are separated from it, and results on either side that are not; shapes (results,).
    ahead: npt.NDArray[np.int64]
    tied: npt.NDArray[np.int64]
    #: Per result, the nearest of those that it ties with, best first.
    nearest: Sequence[Sequence[int]]
    #: Of a result and the next one: corrected p-value, and the smallest difference that would have been seen
    #: 4 times in 5; shapes (results - 1,).
    p: Floats
    detectable: Floats


def separate(
    rates: Floats, samples: float, values: Sequence[Sequence[float]], *, level: float = 0.05, most: int = 5
) -> Separations:
    """Hold every result against every other.

    Args:
        rates: pass rates, shape (results, problems), results best first.
        samples: samples of a result over all problems, the resolution of its score.
        values: each result's scores by seed. Where both of a pair have several, Welch's test must separate
            them, too.
        most: ties that are named per result.
    """
    count, problems = rates.shape
    pairs = max(count * (count - 1) // 2, 1)
    critical = -float(special.ndtri(level / (2 * pairs)))
    sums, squares = rates.sum(axis=1), (rates**2).sum(axis=1)
    seeds = _Seeds.of(values)
    ahead, tied = np.zeros(count, np.int64), np.zeros(count, np.int64)
    nearest: list[Sequence[int]] = []
    for start in range(0, count, BLOCK):
        rows = slice(start, min(start + BLOCK, count))
        size = rows.stop - start
        spread = np.maximum(squares[rows, None] + squares - 2 * rates[rows] @ rates.T, 0.0)
        apart = np.abs(sums[rows, None] - sums) > np.maximum(critical * np.sqrt(spread), 1e-9)
        seeds.keep(apart, start, level / pairs)
        order = np.arange(count) < np.arange(start, rows.stop)[:, None]
        ahead[rows] = (apart & order).sum(axis=1)
        tied[rows] = count - 1 - apart.sum(axis=1)
        for i in range(size):
            others = np.flatnonzero(~apart[i])
            others = others[others != start + i]
            near = np.argsort(np.abs(others - (start + i)), kind="stable")[:most]
            nearest.append(tuple(sorted(others[near].tolist())))
    return Separations(
        ahead, tied, nearest, *_neighbours(rates, sums, squares, samples, seeds, pairs, problems)
    )


def _neighbours(
    rates: Floats, sums: Floats, squares: Floats, samples: float, seeds: _Seeds, pairs: int, problems: int
) -> tuple[Floats, Floats]:
    total = sums[:-1] - sums[1:]
    spread = np.maximum(squares[:-1] + squares[1:] - 2 * (rates[:-1] * rates[1:]).sum(axis=1), 0.0)
    z = np.divide(total, np.sqrt(spread), out=np.zeros_like(total), where=spread > 1e-18)
    p = 2 * special.ndtr(-np.abs(z))
    both = np.arange(len(total))
    p = np.maximum(p, seeds.p(both, both + 1))
    variance = np.maximum(spread / problems - (total / problems) ** 2, 0.0) / max(problems - 1, 1)
    error = np.maximum(np.sqrt(variance), 1.0 / samples)
    seen = float(special.ndtri(0.975) + special.ndtri(0.8))
    return np.minimum(p * pairs, 1.0), np.minimum(seen * error, 1.0)


@dataclass(frozen=True, slots=True)
class _Seeds:
    """Mean, squared error of it, and number of each result's seeds."""

    mean: Floats
    error: Floats
    size: Floats

    @classmethod
    def of(cls, values: Sequence[Sequence[float]]) -> _Seeds:
        size = np.array([len(v) for v in values], dtype=float)
        mean = np.array([float(np.mean(v)) for v in values])
        error = np.array([float(np.var(v, ddof=1)) / len(v) if len(v) > 1 else 0.0 for v in values])
        return cls(mean, error, size)

    def keep(self, apart: npt.NDArray[np.bool_], start: int, level: float) -> None:
        """Take back the separations of a block that seeds do not bear out."""
        if not (self.size > 1).any():
            return
        rows, columns = np.nonzero(apart)
        several = (self.size[rows + start] > 1) & (self.size[columns] > 1)
        rows, columns = rows[several], columns[several]
        apart[rows, columns] = self.p(rows + start, columns) < level

    def p(self, a: npt.NDArray[np.int64], b: npt.NDArray[np.int64]) -> Floats:
        """Welch's p-value of pairs; 0 where one of them has a single seed, so that it decides nothing."""
        both = (self.size[a] > 1) & (self.size[b] > 1)
        u, v = self.error[a], self.error[b]
        difference = np.abs(self.mean[a] - self.mean[b])
        p = np.where(difference < 1e-12, 1.0, 0.0)
        scattered = both & (u + v > 1e-18)
        with np.errstate(divide="ignore", invalid="ignore"):
            freedom = (u + v) ** 2 / (u**2 / (self.size[a] - 1) + v**2 / (self.size[b] - 1))
            t = difference / np.sqrt(u + v)
        p[scattered] = 2 * special.stdtr(freedom[scattered], -t[scattered])
        return np.where(both, p, 0.0)
