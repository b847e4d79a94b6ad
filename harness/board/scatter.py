"""Score against what it took, as points of a picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from harness.board.entry import Entry
from harness.board.rank import Ranked

#: Points of a picture, best first.
MOST: Final = 60
#: Of the picture, without the room for its words.
WIDTH: Final = 420
HEIGHT: Final = 200


@dataclass(frozen=True, slots=True)
class Point:
    """An entry's point, from the picture's left and from its top."""

    x: float
    y: float
    #: The entry's place among the table's rows.
    place: int
    row: Ranked
    value: float


@dataclass(frozen=True, slots=True)
class Scatter:
    """Scores over one quantity; both axes begin where their points do."""

    title: str
    points: Sequence[Point]
    #: The quantity's ends, and the scores'.
    left: float
    right: float
    low: float
    high: float
    dollars: bool = False


QUANTITIES: Final[Sequence[tuple[str, Callable[[Entry], float], bool]]] = (
    ("tokens per answer", lambda e: e.health.tokens, False),
    ("price in dollars", lambda e: e.cost.usd, True),
    ("tokens in all", lambda e: e.cost.tokens, False),
)


def scatters(rows: Sequence[Ranked]) -> list[Scatter]:
    """Up to two pictures: score against tokens per answer, and against cost, in dollars if engines have
    prices and else in tokens. Entries that do not tell the quantity have no point."""
    made = [s for title, of, dollars in QUANTITIES if (s := _scatter(title, of, dollars, rows)) is not None]
    return made[:2]


def _scatter(
    title: str, of: Callable[[Entry], float], dollars: bool, rows: Sequence[Ranked]
) -> Scatter | None:
    told = [(of(row.entry), place, row) for place, row in enumerate(rows[:MOST]) if of(row.entry) > 0]
    if len(told) < 2:
        return None
    values = [value for value, _, _ in told]
    scores = [row.entry.score.value for _, _, row in told]
    left, right = min(values), max(values)
    low, high = min(scores), max(scores)
    points = [
        Point(_at(value, left, right) * WIDTH, HEIGHT - _at(row.entry.score.value, low, high) * HEIGHT,
              place, row, value)
        for value, place, row in told
    ]  # fmt: skip
    return Scatter(title, points, left, right, low, high, dollars)


def _at(value: float, low: float, high: float) -> float:
    """Where a value lies between the ends, which are a little inside the picture."""
    return 0.5 if high <= low else 0.03 + 0.94 * (value - low) / (high - low)
