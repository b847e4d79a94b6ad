"""Random access to the rows of a jsonl (or parquet) file that need not fit in memory.

One pass notes where each row starts and a 64-bit hash of its id: 16 bytes per row. Texts stay in the
file, which is read by position, so that threads and forked processes may share a reader.
"""

from __future__ import annotations

import codecs
import hashlib
import os
import shutil
from array import array
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt

from harness.contract import UNPARSABLE, DataError, seed_of
from harness.support import unpacking
from harness_tasks.parquet import parquet_rows

#: Part of the names of unpacked files: rises when they would be written otherwise.
FORM: Final = 2
#: Faults of a file that one message lists.
MAX_FAULTS: Final = 10
Row = dict[str, Any]
_DECODER: Final = msgspec.json.Decoder()


class RowFault(Exception):
    """A row does not fit: which field, and why. The reader turns it into a message with file and line."""

    def __init__(self, field: str, what: str) -> None:
        super().__init__(what)
        self.field, self.what = field, what


class Rows:
    """Those rows of a file that `identify` gives an id, by position and by id.

    Args:
        path: a jsonl file; empty lines are skipped.
        identify: the id of a row (1-based line number, row), None to leave the row out; raises RowFault.

    Raises:
        DataError: rows do not fit or share an id; up to `MAX_FAULTS` are named as file:line:field. Or the
            file holds no row at all.
    """

    def __init__(self, path: Path, identify: Callable[[int, Row], str | None]) -> None:
        self.path, self._identify = path, identify
        self._file = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
        starts, lines, hashes = _index(path, identify)
        self._starts, self._lines = starts, lines
        self._order = np.argsort(hashes, kind="stable")
        self._hashes = hashes[self._order]
        self._refuse_twins()

    def __len__(self) -> int:
        return len(self._starts)

    def __del__(self) -> None:
        if hasattr(self, "_file"):
            os.close(self._file)

    def row(self, position: int) -> tuple[int, Row]:
        """Line number and content of the row at this position; raises DataError if the file changed."""
        line = int(self._lines[position])
        start, end = (int(value) for value in self._starts[position])
        try:
            row = _DECODER.decode(os.pread(self._file, end - start, start))
        except UNPARSABLE as error:
            raise DataError(f"changed while in use: {error}", where=f"{self.path}:{line}") from None
        return line, row

    def content_hash(self) -> str:
        """Hash of the file's bytes."""
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, "blake2b").hexdigest()

    def id(self, position: int) -> str:
        """The id of the row at this position."""
        name = self._identify(*self.row(position))
        if name is None:
            raise DataError("changed while in use", where=f"{self.path}:{self._lines[position]}")
        return name

    def line(self, name: str) -> int | None:
        """The line of the row with this id, None if there is none."""
        position = self.find(name)
        return None if position is None else int(self._lines[position])

    def find(self, name: str) -> int | None:
        """Position of the row with this id, None if there is none."""
        wanted = np.uint64(seed_of(name))
        first = int(np.searchsorted(self._hashes, wanted))
        while first < len(self._hashes) and self._hashes[first] == wanted:
            if self.id(int(self._order[first])) == name:
                return int(self._order[first])
            first += 1
        return None

    def _refuse_twins(self) -> None:
        faults = []
        for at in np.flatnonzero(self._hashes[1:] == self._hashes[:-1])[:MAX_FAULTS]:
            one, two = sorted((int(self._order[at]), int(self._order[at + 1])))
            if self.id(one) == self.id(two):
                first = self._lines[one]
                faults.append(
                    f"{self.path}:{self._lines[two]}: id {self.id(two)!r} is already on line {first}"
                )
        if faults:
            raise DataError("\n".join(faults))


class Ids(Sequence[str]):
    """The ids of all rows in file order, read when asked for."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, at: Any) -> Any:
        if isinstance(at, slice):
            return [self._rows.id(i) for i in range(*at.indices(len(self)))]
        if not -len(self) <= at < len(self):
            raise IndexError(at)
        return self._rows.id(at % len(self))

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self._rows.find(name) is not None


def unpacked(path: Path, cache: Path) -> Path:
    """The file itself, or a gzip or parquet file's content as jsonl, written once into the cache.

    Raises:
        DataError: a damaged file, or pyarrow is not installed.
    """
    write = {".gz": _inflate, ".parquet": _from_parquet}.get(path.suffix)
    if write is None:
        return path
    state = path.stat()
    name = seed_of(FORM, path.resolve(), state.st_size, state.st_mtime_ns)
    target = cache / "unpacked" / f"{name:x}-{path.stem}"
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        scratch = target.with_name(f"{target.name}.{os.getpid()}")
        try:
            write(path, scratch)
        except BaseException:
            scratch.unlink(missing_ok=True)
            raise
        scratch.replace(target)
    return target


def _inflate(path: Path, target: Path) -> None:
    with unpacking(path) as packed, target.open("wb") as plain:
        shutil.copyfileobj(packed, plain, 1 << 20)


def _from_parquet(path: Path, target: Path) -> None:
    with target.open("wb") as plain:
        for row in parquet_rows(path):
            plain.write(msgspec.json.encode(row) + b"\n")


def _lines_of(path: Path) -> Iterator[tuple[int, int, bytes]]:
    """Line number, byte position and content of each line that is not empty."""
    start = 0
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            mark = len(codecs.BOM_UTF8) if number == 1 and line.startswith(codecs.BOM_UTF8) else 0
            if line[mark:].strip():
                yield number, start + mark, line[mark:]
            start += len(line)


def no_rows(path: Path) -> DataError:
    """The error of a file without a single row."""
    return DataError("holds no rows: the file is empty", where=str(path), hint="is it the right file?")


def _index(
    path: Path, identify: Callable[[int, Row], str | None]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.uint64]]:
    """Byte ranges (rows, 2), line numbers (rows,) and id hashes (rows,) of the rows that have an id."""
    ranges, lines, hashes = array("q"), array("q"), array("Q")
    faults: list[str] = []
    more = number = 0
    for number, start, line in _lines_of(path):
        try:
            row = _DECODER.decode(line)
            if not isinstance(row, dict):
                raise RowFault("", f"is not an object but {type(row).__name__}")
            name = identify(number, row)
        except RowFault as fault:
            where = f"{path}:{number}:{fault.field}" if fault.field else f"{path}:{number}"
            message = f"{where}: {fault.what}"
        except UNPARSABLE as error:
            message = f"{path}:{number}: is not JSON: {error}"
        else:
            if name is not None:
                ranges.extend((start, start + len(line)))
                lines.append(number)
                hashes.append(seed_of(name))
            continue
        if len(faults) < MAX_FAULTS:
            faults.append(message)
        else:
            more += 1
    if faults:
        raise DataError("\n".join(faults) + (f"\nand {more} rows more" if more else ""))
    if not number:
        raise no_rows(path)
    return (
        np.frombuffer(ranges, dtype=np.int64).reshape(-1, 2),
        np.frombuffer(lines, dtype=np.int64),
        np.frombuffer(hashes, dtype=np.uint64),
    )
