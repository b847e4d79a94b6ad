"""Simulated students: outcomes of known abilities on known items."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from harness.statistics.irt import Matrix, passing

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Truth:
    """What a fit should find, in its gauge: the abilities have mean 0 and standard deviation 1."""

    theta: Floats
    a: Floats
    b: Floats
    matrix: Matrix


def students(configurations: int, items: int, samples: int, seed: int) -> Truth:
    """Abilities N(0, 1), log a ~ N(0, .4), b ~ N(0, 1.2)."""
    rng = np.random.default_rng(seed)
    theta = rng.normal(size=configurations)
    theta = (theta - theta.mean()) / theta.std()
    a, b = np.exp(rng.normal(0, 0.4, items)), rng.normal(0, 1.2, items)
    passes = rng.binomial(samples, passing(theta[:, None], a, b)).astype(float)
    names = tuple(f"c{i}" for i in range(configurations)), tuple(f"i{i}" for i in range(items))
    return Truth(theta, a, b, Matrix(*names, np.full_like(passes, samples), passes))


def rms(values: Floats) -> float:
    return float((values**2).mean() ** 0.5)


def covered(truth: Floats, estimate: Floats, se: Floats) -> float:
    """Share of 95 % intervals that hold the truth."""
    return float((abs(truth - estimate) < 1.96 * se).mean())
