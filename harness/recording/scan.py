"""Reading a ledger: its lines in order, those that a resume replaced left out, and its last one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from harness.contract.errors import UNPARSABLE, LedgerError

#: Version of the lines' shapes; a reader refuses a ledger of another major.
SCHEMA: Final = 2

#: A line of a ledger: an object with its type as `t`.
Line = dict[str, Any]


def read(path: Path, *, replaced: bool = False) -> Iterator[Line]:
    """The lines of a ledger in order, one at a time.

    Steps that a later resume did again are left out, unless `replaced` asks for them.

    Raises:
        LedgerError: no such ledger, a line that is damaged, or another schema.
    """
    decoder = msgspec.json.Decoder(Line)
    for _, raw in read_raw(path, replaced=replaced):
        try:
            yield decoder.decode(raw)
        except UNPARSABLE as error:
            raise LedgerError(f"a line is damaged: {error}", where=str(path)) from None


def read_raw(path: Path, *, replaced: bool = False) -> Iterator[tuple[str, bytes]]:
    """As `read`, but (type, JSON) of each line, for readers that decode only what they want."""
    rewinds = [] if replaced else [(at, head) for at, head, _ in _lines(path) if head.t == "rewound"]
    for number, head, raw in _lines(path):
        if not any(number < at and head.is_after(rewind) for at, rewind in rewinds):
            yield head.t, raw


class _Step(msgspec.Struct):
    stage: str = ""
    step: int = 0


class Head(msgspec.Struct):
    """What decides whether a line still stands: its type and the step that it belongs to."""

    t: str
    schema: int | None = None
    stage: str = ""
    step: int = 0
    metrics: _Step | None = None
    group: _Step | None = None

    @property
    def place(self) -> tuple[str, int] | None:
        """Stage and step of what is done again after a rewind; None of a line that always stands."""
        if self.t not in _STEPPED:
            return None
        if self.metrics is not None:
            return self.metrics.stage, self.metrics.step
        return self.stage, self.step if self.group is None else self.group.step

    def is_after(self, rewind: Head) -> bool:
        """Whether this line's step is done again after the rewind."""
        place = self.place
        return place is not None and place[0] == rewind.stage and place[1] > rewind.step


_STEPPED: Final = frozenset({"group", "step", "sample", "evaluation"})


def read_from(path: Path, start: int = 0) -> Iterator[tuple[int, Head, bytes]]:
    """(place of its first byte, head, JSON) of every whole line from the byte `start` on, where a line
    begins. Steps that a later resume did again are among them.

    Raises:
        LedgerError: no such ledger, a line that is damaged, or another schema.
    """
    decoder = msgspec.json.Decoder(Head)
    try:
        file = path.open("rb")
    except FileNotFoundError:
        raise LedgerError("there is no ledger here", where=str(path)) from None
    with file:
        at = file.seek(start)
        for number, raw in enumerate(file, 1):
            if not raw.endswith(b"\n"):
                return  # the torn end of a run that was killed, or of one that is writing now
            try:
                head = decoder.decode(raw)
            except UNPARSABLE as error:
                after = f" after byte {start}" if start else ""
                raise LedgerError(
                    f"line {number}{after} is damaged: {error}",
                    where=str(path),
                    hint="restore the file from a copy; nothing was changed",
                ) from None
            if head.t == "opened" and head.schema != SCHEMA:
                raise LedgerError(
                    f"was written in ledger format {head.schema!r}", where=str(path),
                    allowed=f"format {SCHEMA}",
                    hint="read it with the version of harness that wrote it, or run its recipe anew",
                )  # fmt: skip
            yield at, head, raw
            at += len(raw)


def _lines(path: Path) -> Iterator[tuple[int, Head, bytes]]:
    """(number, head, JSON) of every whole line."""
    for number, (_, head, raw) in enumerate(read_from(path), 1):
        yield number, head, raw


def last_line(path: Path) -> Line:
    """The last complete line of a ledger, read from its end; {} for an empty or absent one.

    Raises:
        LedgerError: that line is damaged.
    """
    if not path.exists():
        return {}
    with path.open("rb") as file:
        end = file.seek(0, 2)
        tail, start = b"", end
        while start > 0 and tail.rstrip(b"\n").count(b"\n") < 2:
            start = max(0, start - 65536)
            file.seek(start)
            tail = file.read(end - start)
    complete = tail[: tail.rfind(b"\n") + 1].splitlines()
    if not complete:
        return {}
    try:
        return msgspec.json.decode(complete[-1], type=Line)
    except UNPARSABLE as error:
        raise LedgerError(f"its last line is damaged: {error}", where=str(path)) from None
