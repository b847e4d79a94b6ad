"""How a hinted subject is named, so that curricula see which plain one it belongs to."""

from __future__ import annotations

import re
from typing import Final

_HINTED: Final = re.compile(r"(?P<plain>.+)~hint-(?P<percent>\d{1,2})")


def hinted(subject: str, share: float) -> str:
    """The name of a subject whose tasks show this share of their solution: `level-3~hint-50`."""
    return f"{subject}~hint-{round(100 * share)}"


def parts(subject: str) -> tuple[str, float]:
    """The plain subject and the share that is shown; 0 for a plain one."""
    match = _HINTED.fullmatch(subject)
    return (subject, 0.0) if match is None else (match["plain"], int(match["percent"]) / 100)
