"""pass@k as a curve: k from 1 to the samples that every problem has, each with an interval over problems."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.statistics.intervals import Interval, over_problems
from harness.statistics.pass_at_k import Counts, Floats, pass_at_k


@dataclass(frozen=True, slots=True)
class PassAt:
    """pass@k of a set, and per problem."""

    k: int
    #: Mean over problems.
    value: float
    #: The problems as a sample of such problems.
    benchmark: Interval
    #: Shape (problems,), in their order.
    problems: Floats


def spaced(most: int, count: int = 32) -> list[int]:
    """At most `count` different k from 1 to `most`, evenly apart on a logarithmic axis."""
    if most < 1:
        return []
    return sorted({round(float(k)) for k in np.geomspace(1, most, count)})


def pass_curve(passes: Counts, samples: Counts, ks: Sequence[int] | None = None) -> list[PassAt]:
    """pass@k without bias (Chen et al. 2021, arXiv 2107.03374) for each k, from counts of shape (problems,).

    Args:
        ks: any from 1 to the fewest samples of a problem; if not given, some that make a curve.

    Raises:
        ValueError: there are no problems, or a k exceeds some problem's samples.
    """
    chosen = spaced(int(np.min(samples))) if ks is None else list(ks)
    rows = pass_at_k(passes, samples, chosen)
    return [
        PassAt(k, float(row.mean()), over_problems(row), row) for k, row in zip(chosen, rows, strict=True)
    ]
