"""Dates: read from what a whole answer says, with a month's name or in the order of ISO 8601."""

from __future__ import annotations

import re
from typing import Final

from harness_math.nodes import Day

_NAMES: Final = """january/jan february/feb march/mar april/apr may june/jun july/jul august/aug
    september/sept/sep october/oct november/nov december/dec"""
_MONTHS: Final = {name: number for number, names in enumerate(_NAMES.split(), 1) for name in names.split("/")}
_MONTH: Final = rf"(?P<month>{'|'.join(sorted(_MONTHS, key=len, reverse=True))})\.?"
_DAY: Final = r"(?:the\s+)?(?P<day>\d{1,2})(?:\s*(?:st|nd|rd|th))?"
_YEAR: Final = r"(?P<year>\d{4})"
_WEEKDAY: Final = r"(?:(?:mon|tues|wednes|thurs|fri|satur|sun)day,?\s+)?"
_FORMS: Final = tuple(
    re.compile(_WEEKDAY + form, re.IGNORECASE)
    for form in (
        rf"{_MONTH}\s+{_DAY}(?:,?\s*{_YEAR})?",
        rf"{_DAY}\s+(?:of\s+)?{_MONTH}(?:,?\s*{_YEAR})?",
        r"(?P<year>\d{4})[-/](?P<month>\d{2})[-/](?P<day>\d{2})",
    )
)
_DRESS: Final = re.compile(r"\\(?:text\w*|math(?:rm|bf|it)|mbox|[,;:! ])|[{}$~^]")


def day(text: str) -> Day | None:
    """The day that a whole answer is; None for anything else."""
    if len(text) > 80 or not any(c.isdigit() for c in text):
        return None
    plain = " ".join(_DRESS.sub(" ", text).split()).strip(" .,")
    for form in _FORMS:
        match = form.fullmatch(plain)
        if match is not None:
            name, year = match["month"].lower(), match["year"]
            month, date = int(name) if name.isdigit() else _MONTHS[name], int(match["day"])
            if 1 <= month <= 12 and 1 <= date <= 31:
                return Day(int(year) if year else None, month, date)
    return None


def same_day(gold: Day, prediction: Day) -> bool:
    """A side that gives no year means any."""
    years = {gold.year, prediction.year} - {None}
    return (gold.month, gold.day) == (prediction.month, prediction.day) and len(years) < 2
