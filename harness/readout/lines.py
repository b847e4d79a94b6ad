"""A ledger's lines as reports want them: replaced lines dropped, texts skipped, one at a time.

The same lines stand as for `harness.ledger.read`; the difference is that rollouts, which are most of
a ledger's bytes, are passed over without being decoded.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from harness.errors import LedgerError


class _Group(msgspec.Struct):
    subject: str
    step: int = 0


class GroupLine(msgspec.Struct):
    """What is kept of a group: when it was drawn and its subject."""

    group: _Group
    stage: str = ""


class _Head(msgspec.Struct):
    t: str
    stage: str = ""
    step: int = 0


_head = msgspec.json.Decoder(_Head)
_group = msgspec.json.Decoder(GroupLine)
_PASSED_OVER = frozenset({"sample", "rewound", "measurement", "note", "plugin_failed"})
_Rewind = tuple[int, str, int]


def events(path: Path) -> Iterator[tuple[str, Any]]:
    """(type, line) of what stands in a ledger: a dict, or a `GroupLine` for groups; samples are skipped.

    A last line that was cut by a crash is left out.

    Raises:
        LedgerError: there is no ledger, or a line before the last is damaged.
    """
    rewinds = [
        (number, place.stage, place.step)
        for number, line in _lines(path)
        if line.startswith((b'{"t":"rewound"', b'{"t": "rewound"'))
        for place in [_head.decode(line)]
    ]
    for number, line in _lines(path):
        try:
            kind, event = _decoded(line)
        except (msgspec.DecodeError, msgspec.ValidationError) as error:
            raise LedgerError(
                f"line {number} is damaged: {error}",
                where=str(path),
                hint="restore the file from a copy; nothing was changed",
            ) from None
        if event is not None and not _replaced(kind, event, number, rewinds):
            yield kind, event


def _decoded(line: bytes) -> tuple[str, Any]:
    kind = _head.decode(line).t
    if kind == "group":
        return kind, _group.decode(line)
    return kind, None if kind in _PASSED_OVER else msgspec.json.decode(line)


def _replaced(kind: str, event: Any, number: int, rewinds: list[_Rewind]) -> bool:
    if not rewinds or kind not in ("group", "step", "evaluation"):
        return False
    if kind == "group":
        stage, step = event.stage, event.group.step
    else:
        place = event["metrics"] if kind == "step" else event
        stage, step = place["stage"], place["step"]
    return any(number < at and stage == back and step > last for at, back, last in rewinds)


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """(line number, line) of complete lines."""
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if line.endswith(b"\n") and line.strip():
                    yield number, line
    except FileNotFoundError:
        raise LedgerError("no ledger here", where=str(path), hint="harness runs") from None


def last_line(path: Path) -> dict[str, Any]:
    """The last complete line of a ledger, read from its end; {} for an empty one."""
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
    line: dict[str, Any] = msgspec.json.decode(complete[-1])
    return line
