"""Posteriors of pass rates on a grid, for evidence that no Beta distribution describes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

#: Middles of the grid's cells over (0, 1).
GRID: Final[Floats] = (np.arange(256) + 0.5) / 256
#: Subjects at a time, so that a million of them need no more memory.
_CHUNK: Final = 4096


@dataclass(frozen=True, slots=True)
class Moments:
    """Posteriors in numbers, shapes (subjects,)."""

    mean: Floats
    sd: Floats
    #: Probability of lying in the window.
    inside: Floats


def moments(
    observed: Floats, prior: Floats, window: tuple[float, float], *, false_pass: float, false_fail: float
) -> Moments:
    """Posteriors of the true pass rate p.

    A verifier that passes wrong answers at rate fp and fails right ones at rate fn shows passes at the rate
    p_obs = (1 - fn) p + fp (1 - p). The prior is uniform times p^a (1 - p)^b.

    Args:
        observed: passes and fails as the verifier saw them, shape (subjects, 2); fractions are allowed.
        prior: a and b, samples of a published rate, shape (subjects, 2).
        window: ends of the window of pass rates.
        false_pass, false_fail: fp and fn.
    """
    seen = (1 - false_fail) * GRID + false_pass * (1 - GRID)
    table = np.stack([np.log(seen), np.log1p(-seen), np.log(GRID), np.log1p(-GRID)])
    within = (window[0] <= GRID) & (window[1] >= GRID)
    evidence = np.concatenate([observed, prior], axis=1)
    parts = []
    for start in range(0, len(evidence), _CHUNK):
        fit = evidence[start : start + _CHUNK] @ table
        weights = np.exp(fit - fit.max(axis=1, keepdims=True))
        weights /= weights.sum(axis=1, keepdims=True)
        mean = weights @ GRID
        spread = np.sqrt(np.maximum(0.0, weights @ GRID**2 - mean**2))
        parts.append(np.stack([mean, spread, weights @ within]))
    made = np.concatenate(parts, axis=1) if parts else np.zeros((3, 0))
    return Moments(made[0], made[1], made[2])
