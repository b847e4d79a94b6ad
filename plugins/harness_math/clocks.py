"""Times of day: read from what a whole answer says, compared on the clock's face."""

from __future__ import annotations

import re
from typing import Final

from harness_math.nodes import Clock

_HALF: Final = r"\(?\s*(?P<half>[AaPp])\s*\.?\s*[Mm]\s*\.?\s*\)?"
_PART: Final = r"(?:in\s+the\s+(?P<part>morning|afternoon|evening)|at\s+(?P<night>night))"
_WORD: Final = r"(?:o\s*'?\s*clock)?"
_TIME: Final = re.compile(
    rf"(?:at\s+)?(?P<hour>\d{{1,2}})(?:\s*[:.]\s*(?P<minute>\d{{2}})(?:\s*:\s*(?P<second>\d{{2}}))?)?\s*{_WORD}\s*(?:{_HALF}|{_PART})",
    re.IGNORECASE,
)
_BARE: Final = re.compile(
    rf"(?P<hour>\d{{1,2}})\s*:\s*(?P<minute>\d{{2}})(?:\s*:\s*(?P<second>\d{{2}}))?\s*{_WORD}"
)
_OCLOCK: Final = re.compile(r"(?:at\s+)?(?P<hour>\d{1,2})\s*o\s*'?\s*clock", re.IGNORECASE)
_NAMED: Final = re.compile(r"(?:at\s+)?(?:12(?:\s*:\s*00)?\s*)?(?P<name>noon|midnight)", re.IGNORECASE)
_DRESS: Final = re.compile(r"\\(?:text\w*|mathrm|mbox|operatorname|[,;:! ])|[{}$~]")
_HALF_DAY: Final = 12 * 3600


def clock(text: str) -> Clock | None:
    """The time of day that a whole answer is; None for anything else."""
    if len(text) > 80 or (not any(c.isdigit() for c in text) and "n" not in text):
        return None
    plain = _DRESS.sub(" ", text.replace(r"\!", "")).strip(" .")
    named = _NAMED.fullmatch(plain)
    if named is not None:
        return Clock(0, "p" if named["name"].lower() == "noon" else "a", True)
    match = _TIME.fullmatch(plain)
    half = ""
    if match is not None:
        part = (match["part"] or match["night"] or "").lower()
        half = (match["half"] or ("a" if part == "morning" else "p")).lower()
    else:
        match = _BARE.fullmatch(plain) or _OCLOCK.fullmatch(plain)
    if match is None:
        return None
    groups = match.groupdict()
    hour, minute, second = (int(groups.get(name) or 0) for name in ("hour", "minute", "second"))
    if hour > 24 or minute > 59 or second > 59 or (half and hour > 12 and half == "a"):
        return None
    sure = bool(half)
    if not half and (hour > 12 or hour == 0):
        half = "p" if 12 <= hour < 24 else "a"
    return Clock((3600 * hour + 60 * minute + second) % _HALF_DAY, half, sure)


def same_time(gold: Clock, prediction: Clock) -> bool:
    """A side that does not say which half of the day means either."""
    halves = {gold.half, prediction.half} - {""}
    return gold.seconds == prediction.seconds and len(halves) < 2
