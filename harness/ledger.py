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
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from harness.errors import LedgerError

#: Version of the lines' shapes; a reader refuses a ledger of another major.
SCHEMA: Final = 1

Line = dict[str, Any]

_SECRET_NAME = re.compile(r"(API_?KEY|TOKEN|SECRET|PASSWORD|CREDENTIAL)", re.IGNORECASE)


class Ledger:
    """A ledger open for writing, by one process at a time."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
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
        self._secrets = secrets(os.environ)

    def append(self, kind: str, **fields: Any) -> None:
        """Write one line. It survives the process at once, and the machine after `commit`."""
        data = self._encoder.encode({"t": kind, **fields})
        for secret in self._secrets:
            if secret in data:
                data = data.replace(secret, b"***")
        self._file.write(data + b"\n")
        self._file.flush()

    def commit(self) -> None:
        """Return when everything appended is on disk."""
        os.fsync(self._file.fileno())

    def close(self) -> None:
        if not self._file.closed:
            self.commit()
            self._file.close()

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


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
    rewinds = [] if replaced else list(_rewinds(path))
    for number, line in _lines(path):
        if any(number < at and _is_after(line, stage, step) for at, stage, step in rewinds):
            continue
        yield line


def _lines(path: Path) -> Iterator[tuple[int, Line]]:
    decoder = msgspec.json.Decoder(Line)
    try:
        file = path.open("rb")
    except FileNotFoundError:
        raise LedgerError("there is no ledger here", where=str(path)) from None
    with file:
        for number, raw in enumerate(file, 1):
            if not raw.endswith(b"\n"):
                return  # the torn end of a run that was killed, or of one that is writing now
            try:
                line = decoder.decode(raw)
                kind = line["t"]
            except (msgspec.DecodeError, msgspec.ValidationError, KeyError) as error:
                raise LedgerError(
                    f"line {number} is damaged: {error}",
                    where=str(path),
                    hint="restore the file from a copy; nothing was changed",
                ) from None
            if kind == "opened" and line.get("schema") != SCHEMA:
                raise LedgerError(
                    f"was written with schema {line.get('schema')!r}", where=str(path), allowed=str(SCHEMA)
                )
            yield number, line


def _rewinds(path: Path) -> Iterator[tuple[int, str, int]]:
    with path.open("rb") if path.exists() else open(os.devnull, "rb") as file:
        for number, raw in enumerate(file, 1):
            if raw.startswith(b'{"t":"rewound"') and raw.endswith(b"\n"):
                line = msgspec.json.decode(raw, type=Line)
                yield number, line["stage"], line["step"]


_STEPPED: Final = frozenset({"group", "step", "sample", "evaluation"})


def _is_after(line: Line, stage: str, step: int) -> bool:
    kind = line["t"]
    if kind not in _STEPPED:
        return False
    if kind == "step":
        return bool(line["metrics"]["stage"] == stage and line["metrics"]["step"] > step)
    if kind == "group":
        return bool(line["stage"] == stage and line["group"]["step"] > step)
    return bool(line["stage"] == stage and line["step"] > step)


def secrets(environment: Mapping[str, str]) -> tuple[bytes, ...]:
    """Values of environment variables whose names say that they are secret, as they would stand in a
    line of JSON; longest first, so that one inside another is not left behind in part."""
    found = {
        msgspec.json.encode(value)[1:-1]
        for name, value in environment.items()
        if _SECRET_NAME.search(name) and len(value) >= 8
    }
    return tuple(sorted(found, key=len, reverse=True))
