"""Two scores on the same problems: is there a difference, where, and how small a one could be seen?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from harness.contract import seeds
from harness.statistics.intervals import Interval, student

#: Sign patterns are enumerated up to this many differing problems, drawn beyond it.
EXACT = 14
DRAWS = 20_000


@dataclass(frozen=True, slots=True)
class Flip:
    """A problem that one side mostly solves and the other mostly does not; rates in [0, 1]."""

    problem: str
    a: float
    b: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """`b` against `a` on the problems that both have."""

    problems: int
    a: float
    b: float
    #: Mean over problems of b's rate minus a's, with a t interval over problems.
    difference: float
    interval: Interval
    #: Two-sided, from the sign-flip permutation test.
    p: float
    #: The smallest true difference that this comparison would have seen 4 times in 5 (level 0.05).
    detectable: float
    #: Problems b gained and lost, largest change first.
    gained: tuple[Flip, ...]
    lost: tuple[Flip, ...]
    #: Problems that only one side has; they take no part.
    unpaired: int = 0

    def separated(self, level: float = 0.05) -> bool:
        """Whether the test tells them apart; otherwise they are a tie."""
        return self.p < level


Counted = Mapping[str, tuple[float, float]]


def compare(a: Counted, b: Counted, *, power: float = 0.8, level: float = 0.05) -> Comparison:
    """Compare two results by problem.

    Args:
        a, b: problem -> (passes or summed scores, samples).

    Raises:
        ValueError: no problem is in both.
    """
    common = sorted(a.keys() & b.keys())
    if not common:
        raise ValueError("no problem is in both results, so they cannot be paired")
    left = np.array([a[p][0] / a[p][1] for p in common])
    right = np.array([b[p][0] / b[p][1] for p in common])
    d = right - left
    size = len(common)
    mean = float(d.mean())
    # Never finer than one sample: identical results do not prove identical models.
    finest = 1.0 / min(sum(side[p][1] for p in common) for side in (a, b))
    se = max(float(d.std(ddof=1)) / size**0.5 if size > 1 else 1.0, finest)
    t = student(1 - level / 2, max(size - 1, 1))
    interval = Interval(max(mean - t * se, -1.0), min(mean + t * se, 1.0), se, "t over problems", 1 - level)
    detectable = float(special.ndtri(1 - level / 2) + special.ndtri(power)) * se
    flips = [Flip(p, float(x), float(y)) for p, x, y in zip(common, left, right, strict=True)]
    gained = sorted((f for f in flips if f.a < 0.5 <= f.b), key=lambda f: (f.a - f.b, f.problem))
    lost = sorted((f for f in flips if f.b < 0.5 <= f.a), key=lambda f: (f.b - f.a, f.problem))
    return Comparison(
        problems=size,
        a=float(left.mean()),
        b=float(right.mean()),
        difference=mean,
        interval=interval,
        p=sign_flip_p(d),
        detectable=min(detectable, 1.0),
        gained=tuple(gained),
        lost=tuple(lost),
        unpaired=len(a.keys() ^ b.keys()),
    )


def sign_flip_p(differences: npt.ArrayLike) -> float:
    """Two-sided p-value of the paired permutation test (Fisher 1935; Good 2005, section 3.2).

    Under the null the two sides are exchangeable within each problem, so each difference may change
    its sign. Up to 14 differing problems all patterns are enumerated; beyond, 20,000 are drawn with a
    seed that depends on the data alone and `(1 + hits) / (1 + draws)` is returned (Phipson and Smyth 2010).
    """
    d = np.asarray(differences, dtype=float)
    d = np.abs(d[np.abs(d) > 1e-12])
    signed = np.asarray(differences, dtype=float)
    observed = abs(float(signed.sum())) - 1e-9
    if d.size == 0:
        return 1.0
    if d.size <= EXACT:
        patterns = (np.arange(2**d.size)[:, None] >> np.arange(d.size)) & 1
        return float((np.abs((1 - 2 * patterns) @ d) >= observed).mean())
    rng = seeds.generator("sign-flip", np.sort(d).round(9).tobytes().hex())
    hits = 0
    rows = max(1, 2_000_000 // d.size)
    for start in range(0, DRAWS, rows):
        count = min(rows, DRAWS - start)
        signs = rng.integers(0, 2, size=(count, d.size), dtype=np.int8) * np.int8(2) - np.int8(1)
        hits += int((np.abs(signs @ d) >= observed).sum())
    return (1 + hits) / (1 + DRAWS)
