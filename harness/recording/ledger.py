"""The append-only record of a run. What it does not hold has not happened; resuming is doing what
is missing.

One JSON object a line, flushed as it is written and synced to disk at every `commit`. A process
that is killed can leave at most one torn line at the end, which was never reported as done and is
cut off at the next start; a torn line anywhere else is damage and refused. Nothing is rewritten: a
resumed stage appends a `rewound` line, and reading drops the steps that it replaces.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import msgspec

from harness.contract.errors import UNPARSABLE, LedgerError
from harness.recording.blotting import blotted, encoded_secrets

#: Version of the lines' shapes; a reader refuses a ledger of another major.
SCHEMA: Final = 2

#: A line of a ledger: an object with its type as `t`.
Line = dict[str, Any]


class Ledger:
    """A ledger open for writing, by one process at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._writing():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("ab")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._file.close()
            raise LedgerError(
                "another process is writing this run", where=str(path), hint="wait for it, or end it first"
            ) from None
        cut_torn_line(path)
        self._encoder = msgspec.json.Encoder()
        #: Read again at each commit: to ask the environment for every line costs more than the line.
        self._secrets = encoded_secrets()

    def append(self, kind: str, /, **fields: Any) -> None:
        """Write one line. It survives the process at once, and the machine after `commit`.

        Raises:
            LedgerError: the disk is full, or not to be written to.
        """
        self.append_many(kind, (fields,))

    def append_many(self, kind: str, rows: Iterable[Mapping[str, Any]]) -> None:
        """Write one line per row, with one write to the file: all of them survive the process at once."""
        rows = list(rows)
        try:
            lines = self._encoded(kind, rows)
        except UnicodeEncodeError:
            # Half a character, as a text of UTF-16 may end in: UTF-8 has no form for it.
            rows = [_sayable(msgspec.to_builtins(fields)) for fields in rows]
            lines = self._encoded(kind, rows)
        if any(secret in lines for secret in self._secrets):
            lines = b"".join(self._blotted(kind, fields) for fields in rows)
        with self._writing():
            self._file.write(lines)
            self._file.flush()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """A disk that takes nothing more is no bug of ours, and leaves a torn line at most."""
        try:
            yield
        except OSError as error:
            raise LedgerError(
                f"cannot be written: {error.strerror or error}", where=str(self.path),
                hint="mend that and go on with --resume; every whole line is kept",
            ) from error  # fmt: skip

    def _encoded(self, kind: str, rows: Iterable[Mapping[str, Any]]) -> bytes:
        return b"".join(self._encoder.encode({"t": kind, **fields}) + b"\n" for fields in rows)

    def _blotted(self, kind: str, fields: Mapping[str, Any]) -> bytes:
        values = msgspec.json.decode(self._encoder.encode(fields))
        return self._encoder.encode({"t": kind, **blotted(values)}) + b"\n"

    def commit(self) -> None:
        """Return when everything appended is on disk."""
        with self._writing():
            os.fsync(self._file.fileno())
        self._secrets = encoded_secrets()

    def close(self) -> None:
        if not self._file.closed:
            with self._writing():
                try:
                    self.commit()
                finally:
                    self._file.close()

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def _sayable(value: Any) -> Any:
    """Plain data with `?` for each half of a character."""
    if isinstance(value, dict):
        return {_sayable(name): _sayable(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_sayable(inner) for inner in value]
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value


def cut_torn_line(path: Path) -> int:
    """Cut an unfinished last line off; returns how many bytes that were."""
    size = path.stat().st_size
    if size == 0:
        return 0
    with path.open("r+b") as file:
        end = size
        while end > 0:
            start = max(0, end - 65536)
            file.seek(start)
            newline = file.read(end - start).rfind(b"\n")
            if newline >= 0:
                end = start + newline + 1
                break
            end = start
        if end < size:
            file.truncate(end)
            os.fsync(file.fileno())
    return size - end


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
