"""Files of rows, and what they are called: a file gives its name to what it holds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

import msgspec

from harness.contract.errors import UNPARSABLE, DataError

#: Endings of files that hold rows, or describe them, which are no part of the name. The longest first.
ENDINGS: Final = (".jsonl.gz", ".parquet", ".jsonl", ".toml", ".gz")


@contextmanager
def unpacking(path: Path) -> Iterator[BinaryIO]:
    """A file of rows, open for reading, unpacked on the way if it ends in `.gz`.

    Raises:
        DataError: while it is read: it is no whole gzip file.
    """
    import gzip
    import zlib

    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            yield cast(BinaryIO, file)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError(f"not a whole gzip file: {error}", where=str(path)) from None


def json_rows(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """(place, row) of each line of a file of JSON lines, packed or not; empty lines are left out.

    Raises:
        DataError: no whole gzip file, or a line that is no JSON object.
    """
    with unpacking(path) as file:
        for number, raw in enumerate(file, 1):
            if not raw.strip():
                continue
            where = f"{path}, line {number}"
            try:
                yield where, msgspec.json.decode(raw, type=dict[str, Any])
            except UNPARSABLE as error:
                raise DataError(f"not a JSON object: {error}", where=where) from None


def stem(path: Path) -> str:
    """A file's name without its ending: `mine` of `mine.jsonl.gz`."""
    ending = next((ending for ending in ENDINGS if path.name.endswith(ending)), "")
    return path.name.removesuffix(ending)
