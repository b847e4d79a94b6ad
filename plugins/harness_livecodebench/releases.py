"""Releases and date windows. A release is cumulative and not a date cut: v6 holds problems of v5's months
that v5 does not. A score means nothing unless both are named.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from harness.contract import RecipeError

REPOSITORY: Final = "livecodebench/code_generation_lite"
#: What each release adds, and how many problems it has then.
FILES: Final = {
    "v1": ("test.jsonl", 400),
    "v2": ("test2.jsonl", 511),
    "v3": ("test3.jsonl", 612),
    "v4": ("test4.jsonl", 713),
    "v5": ("test5.jsonl", 880),
    "v6": ("test6.jsonl", 1055),
}
#: Sizes that published scores rest on. A copy that gives another number is not that benchmark.
SIZES: Final = {
    ("v5", "2024-08-01..2025-02-01"): 279,
    ("v6", "2024-08-01..2025-05-01"): 454,
}


def files_of(release: str) -> list[str]:
    """A release's files, oldest first."""
    names = list(FILES)
    return [FILES[name][0] for name in names[: names.index(release) + 1]]


@dataclass(frozen=True, slots=True)
class Window:
    """Contest dates from `start` to `end`, both included, as moments: an end of 2025-02-01 is that day's
    midnight, so a contest in the evening of it is out. So does the published harness."""

    start: datetime | None = None
    end: datetime | None = None

    @classmethod
    def parse(cls, text: str, where: str = "") -> Window:
        """`2024-08-01..2025-02-01`, `2024-08-01..`, `..2025-02-01`; empty means no window."""
        if not text:
            return cls()
        first, dots, last = text.partition("..")
        try:
            if not dots:
                raise ValueError
            window = cls(_date(first), _date(last))
        except ValueError:
            window = None
        if window is None or (window.start and window.end and window.start > window.end):
            raise RecipeError(
                f"{text!r} is not a date window", where=where, allowed="START..END with dates as 2024-08-01"
            )
        return window

    def __contains__(self, moment: datetime) -> bool:
        return (self.start is None or self.start <= moment) and (self.end is None or moment <= self.end)


def _date(text: str) -> datetime | None:
    return datetime.strptime(text, "%Y-%m-%d") if text else None
