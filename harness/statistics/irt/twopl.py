"""The two-parameter logistic model of item response theory (2PL).

    P(configuration p passes item i) = 1 / (1 + exp(-a_i (theta_p - b_i)))

`theta` is what a configuration can do, `b` how hard an item is on the same scale, `a` > 0 how sharply the
item separates (Birnbaum 1968, in Lord and Novick, Statistical Theories of Mental Test Scores, chapter 17).
There is no factor 1.7 in front of `a`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import expit, log_expit

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Items:
    """Parameters of items and how sure they are; every array has shape (items,)."""

    names: tuple[str, ...]
    a: Floats
    b: Floats
    #: Standard errors. nan for parameters that were given and not fitted.
    a_se: Floats
    b_se: Floats

    def __len__(self) -> int:
        return len(self.names)

    def take(self, places: Sequence[int]) -> Items:
        """The items at these places."""
        at = np.asarray(places, dtype=np.int64)
        names = tuple(self.names[int(i)] for i in at)
        return Items(names, self.a[at], self.b[at], self.a_se[at], self.b_se[at])


def passing(theta: Floats | float, a: Floats, b: Floats) -> Floats:
    """P(pass), of the shape that `theta`, `a` and `b` broadcast to."""
    chance: Floats = expit(a * (np.asarray(theta) - b))
    return chance


def information(theta: Floats | float, a: Floats, b: Floats) -> Floats:
    """Fisher information about `theta` in one sample of an item: a^2 p (1 - p)."""
    p = passing(theta, a, b)
    told: Floats = a**2 * p * (1 - p)
    return told


def log_likelihood(theta: Floats, items: Items, samples: Floats, passes: Floats) -> Floats:
    """Log-likelihood in nats of each value of `theta`, shape (values,), given counts of shape (items,)."""
    logits = items.a * (theta[:, None] - items.b)
    total: Floats = log_expit(logits) @ passes + log_expit(-logits) @ (samples - passes)
    return total
