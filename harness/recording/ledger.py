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
from typing import Any

import msgspec

from harness.contract.errors import LedgerError
from harness.recording.blotting import blotted, encoded_secrets
from harness.recording.outline import Outline
from harness.recording.scan import SCHEMA, Head, Line, last_line, read, read_from, read_raw

__all__ = ["SCHEMA", "Head", "Ledger", "Line", "cut_torn_line", "last_line", "read", "read_from", "read_raw"]


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
        self._outline = Outline(path)
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
        self._outline.extend()
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
