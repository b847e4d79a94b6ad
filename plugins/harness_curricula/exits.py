"""When a stage has nothing more to give: a plateau, or mastery."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean, variance

from harness.contract import StepMetrics


def plateau(history: Sequence[StepMetrics], window: int, errors: float) -> str | None:
    """Why the pass rate counts as flat, or None.

    The mean of the last `window` steps is compared with that of the `window` before. Steps draw
    their own tasks, so their spread gives the standard error of the difference,
    sqrt(s1^2 / w + s2^2 / w); a gain of at most `errors` such errors counts as none.
    """
    if window < 2 or len(history) < 2 * window:
        return None
    before = [m.pass_rate for m in history[len(history) - 2 * window : len(history) - window]]
    recent = [m.pass_rate for m in history[len(history) - window :]]
    gain = fmean(recent) - fmean(before)
    error = ((variance(before) + variance(recent)) / window) ** 0.5
    if gain > errors * error:
        return None
    return (
        f"plateau: the pass rate of the last {window} steps, {fmean(recent):.3f}, is {gain:+.3f} from that "
        f"of the {window} before, not above {errors:g} standard errors of {error:.3f}"
    )


def mastery(history: Sequence[StepMetrics], window: int, threshold: float) -> str | None:
    """Why the subjects count as mastered, or None: the mean pass rate of the last `window` steps."""
    if window < 1 or len(history) < window:
        return None
    rate = fmean(m.pass_rate for m in history[len(history) - window :])
    if rate < threshold:
        return None
    return f"mastery: the pass rate of the last {window} steps is {rate:.3f}, at least {threshold:g}"
