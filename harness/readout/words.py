"""Savings in words, the same on the command line and on the page."""

from __future__ import annotations

from math import inf

from harness.readout.saving import ArmSaving, Saving
from harness.statistics import Ratio, Spread
from harness.support.figures import count

DASH = "–"


def cost_in_words(bounds: tuple[float, float]) -> str:
    """A median cost: 8,704, `above 20,480`, or `20,480 to 25,600`."""
    low, high = bounds
    if low == high:
        return count(low)
    return f"above {count(low)}" if high == inf else f"{count(low)} to {count(high)}"


def ratio_in_words(ratio: Ratio | None) -> str:
    """A ratio, or what is known of it."""
    return DASH if ratio is None else _bounds(ratio.low, ratio.high)


def interval_in_words(ratio: Ratio | None) -> str:
    """The interval of a ratio; a dash without one."""
    if ratio is None or ratio.interval is None:
        return DASH
    low, high = ratio.interval
    return f"{low:.2f} to {DASH if high == inf else f'{high:.2f}'}"


def reading_in_words(arm: ArmSaving, saving: Saving) -> str:
    """What may be said of the cost until the threshold."""
    if arm.arm == saving.terms.baseline:
        return "baseline"
    return {
        "less": "needs less",
        "more": "needs more",
        "not separated": "not separated",
        "no claim": "no claim",
    }[arm.reading]


def points_in_words(effect: Spread) -> str:
    """An effect on a score in points, with its interval if there is one: +2.4 (-0.3 to +5.1)."""
    mean = f"{100 * effect.mean:+.1f}"
    if effect.interval is None:
        return mean
    return f"{mean} ({100 * effect.interval.low:+.1f} to {100 * effect.interval.high:+.1f})"


def _bounds(low: float, high: float) -> str:
    if low == high:
        return f"{low:.2f}"
    if high == inf:
        return f"above {low:.2f}" if low > 0 else "unknown"
    return f"below {high:.2f}" if low == 0 else f"{low:.2f} to {high:.2f}"
