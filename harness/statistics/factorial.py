"""A 2 x 2 experiment: main effects and interaction over paired seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.statistics.seeds import Spread, spread


@dataclass(frozen=True, slots=True)
class Effects:
    """What two factors do to a score, each with Student's t interval over seeds."""

    #: Mean change when the first factor is on, over both levels of the second.
    first: Spread
    second: Spread
    #: How much more the first factor changes when the second is on: y11 - y01 - (y10 - y00).
    interaction: Spread


def two_by_two(
    neither: Sequence[float], first: Sequence[float], second: Sequence[float], both: Sequence[float]
) -> Effects:
    """Effects of two factors from four arms' scores by seed, in the same order of seeds.

    Each seed gives one effect, so that what a seed does to all arms alike cancels.

    Raises:
        ValueError: the arms have different numbers of seeds, or none.
    """
    if not len(neither) == len(first) == len(second) == len(both) or not len(both):
        raise ValueError("a 2 x 2 needs the same seeds in all four arms")
    rows = list(zip(neither, first, second, both, strict=True))
    return Effects(
        spread([((y10 + y11) - (y00 + y01)) / 2 for y00, y10, y01, y11 in rows]),
        spread([((y01 + y11) - (y00 + y10)) / 2 for y00, y10, y01, y11 in rows]),
        spread([(y11 - y01) - (y10 - y00) for y00, y10, y01, y11 in rows]),
    )
