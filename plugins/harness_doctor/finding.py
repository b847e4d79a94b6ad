"""What an examination finds: one thing, its state, and the line that mends it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

#: `off`: not here, which matters only to what needs it. `fault`: set or installed, and does not work.
State = Literal["ok", "off", "fault"]
STATES: Final[tuple[State, ...]] = ("ok", "off", "fault")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    subject: str
    state: State
    #: What was seen, in a line.
    said: str
    #: A command or a setting that changes it; "" where nothing needs to be.
    mend: str = ""
