"""A forest picture: a ratio and its interval per arm, on a logarithmic axis with 1 marked."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from harness.readout import Saving
from harness.readout.words import interval_in_words, ratio_in_words
from harness.statistics import Ratio
from harness_report.charts import RIGHT, WIDE, Tick

LEFT, ROW, TOP, BOTTOM = 130, 26, 12, 40
#: Marks of the axis; those outside of it are left out.
MARKS = (0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3, 5, 10, 20)


@dataclass(frozen=True, slots=True)
class Whisker:
    """One arm: its interval as a line and its ratio as a dot, None if only bounds are known."""

    name: str
    colour: int
    y: float
    start: float
    end: float
    #: Whether the interval goes on past the axis.
    open_ended: bool
    dot: float | None
    title: str


@dataclass(frozen=True, slots=True)
class Forest:
    title: str
    rows: Sequence[Whisker]
    x_ticks: Sequence[Tick]
    #: Where ratio 1 lies.
    one: float
    x_label: str
    height: int
    width: int = WIDE
    left: int = LEFT
    right: int = WIDE - RIGHT


def forest(saving: Saving, colours: dict[str, int]) -> Forest | None:
    """Ratios of the cost until the threshold; None if no arm has one."""
    arms = [(arm, arm.cost) for arm in saving.arms if arm.cost is not None]
    if not arms:
        return None
    ends = [end for _, ratio in arms for end in _ends(ratio) if 0 < end < math.inf]
    low, high = min([*ends, 1.0]) / 1.25, max([*ends, 1.0]) * 1.25
    right = WIDE - RIGHT

    def at(ratio: float) -> float:
        share = math.log(min(max(ratio, low), high) / low) / math.log(high / low)
        return round(LEFT + share * (right - LEFT), 1)

    rows = []
    for i, (arm, ratio) in enumerate(arms):
        start, end = _ends(ratio)
        rows.append(
            Whisker(
                arm.arm, colours.get(arm.arm, i), TOP + (i + 0.5) * ROW, at(start), at(end), end == math.inf,
                None if ratio.value is None else at(ratio.value),
                f"{arm.arm}: {ratio_in_words(ratio)} (95 %: {interval_in_words(ratio)})",
            )
        )  # fmt: skip
    bottom = TOP + len(rows) * ROW
    return Forest(
        f"{saving.terms.axis.replace('_', ' ')} until the threshold, as a ratio to {saving.terms.baseline}",
        rows,
        [Tick(at(mark), f"{mark:g}") for mark in MARKS if low <= mark <= high],
        at(1.0),
        f"ratio to {saving.terms.baseline}",
        bottom + BOTTOM,
    )


def _ends(ratio: Ratio) -> tuple[float, float]:
    return ratio.interval or (ratio.low, ratio.high)
