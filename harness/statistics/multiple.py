"""Several tests at once."""

from __future__ import annotations

from collections.abc import Sequence


def holm(ps: Sequence[float]) -> list[float]:
    """P-values under Holm's step-down correction (1979), in the order given: it bounds the chance of any
    false rejection."""
    by_p = sorted(range(len(ps)), key=lambda i: ps[i])
    corrected, floor = [0.0] * len(ps), 0.0
    for place, i in enumerate(by_p):
        floor = max(floor, min(1.0, ps[i] * (len(ps) - place)))
        corrected[i] = floor
    return corrected
