"""Errors that a user can act on.

Every error of this family is shown without a stack trace: it names what is wrong and where,
what was allowed, and the next step. Anything else that reaches the top is our bug and keeps
its trace.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Final

#: Names that a message lists of those there are.
SHOWN: Final = 20

#: What parsers of JSON and TOML raise for a text that is none: it breaks their rules, is no UTF-8, holds a
#: number that Python does not read, or nests deeper than Python goes.
UNPARSABLE: Final = (ValueError, RecursionError)


class HarnessError(Exception):
    """Something the user can mend.

    Args:
        what: the fault, with the value that was seen.
        where: the file, field or plugin at fault.
        allowed: what would have been accepted.
        hint: the next step, as a command or an edit.
    """

    def __init__(self, what: str, *, where: str = "", allowed: str = "", hint: str = "") -> None:
        self.what, self.where, self.allowed, self.hint = what, where, allowed, hint
        lines = [f"{where}: {what}" if where else what]
        if allowed:
            lines.append(f"  allowed: {allowed}")
        if hint:
            lines.append(f"  next: {hint}")
        super().__init__("\n".join(lines))


class RecipeError(HarnessError):
    """The recipe asks for something that does not exist, does not fit or cannot work."""


class PluginError(HarnessError):
    """A plugin that was asked for by name could not be loaded or built."""


class UnknownName(PluginError):
    """No plugin registered this name for this kind."""


class CapabilityError(RecipeError):
    """The recipe asks a plugin for something that it says it cannot do."""


class LedgerError(HarnessError):
    """A ledger cannot be read, or does not belong to this recipe or this data."""


class DataError(HarnessError):
    """A data file is missing, or a row in it does not fit."""


class EngineError(HarnessError):
    """An engine could not generate."""


class TrainingError(HarnessError):
    """A stage could not go on: nothing to learn from, numbers that are not finite, a process that ended."""


def near(name: str, known: Iterable[str]) -> str:
    """The known names as a message wants them: near matches first, all of them if they are few, else how
    many more there are."""
    names = sorted(set(known))
    more = f" ... and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    listed = ", ".join(names[:SHOWN]) + more
    close = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    if close:
        return f"did you mean {' or '.join(repr(match) for match in close)}? known: {listed}"
    return listed or "(none)"


def counted(number: int, word: str) -> str:
    """A number of things as a message says it: `1 run`, `1,280 runs`."""
    return f"{number:,} {word}" + ("" if number == 1 else "s")
