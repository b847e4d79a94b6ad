"""Rows of a parquet file as JSON has them.

Two kinds of column need a look: Arrow's JSON type, whose text is a value and no text (`datasets` writes it
if a column mixes types), and binary columns, which hold text if a writer left out the mark for it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from harness.contract import DataError

if TYPE_CHECKING:
    import pyarrow

#: Rows that are held at a time.
BATCH: Final = 1024
_JSON: Final = "arrow.json"
Row = dict[str, Any]
Read = Callable[[Any], Any]


class _NoText(Exception):
    """Bytes that are no text."""


def parquet_rows(path: Path) -> Iterator[Row]:
    """The rows in the file's order.

    Raises:
        DataError: pyarrow is not installed, the file is damaged, or a column holds bytes that are no text.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ModuleNotFoundError:
        raise DataError(
            "reading parquet needs pyarrow", where=str(path), hint="pip install 'staged-harness[parquet]'"
        ) from None
    try:
        file = pyarrow.parquet.ParquetFile(path)
        readers = {field.name: read for field in file.schema_arrow if (read := _reader(field)) is not None}
        number = 0
        for batch in file.iter_batches(BATCH):
            for row in batch.to_pylist():
                number += 1
                yield _read(row, readers, f"{path}:{number}")
    except (pyarrow.ArrowException, OSError) as error:
        raise DataError(f"not a parquet file: {error}", where=str(path)) from None


def _read(row: Row, readers: dict[str, Read], where: str) -> Row:
    for name, read in readers.items():
        try:
            row[name] = read(row[name])
        except _NoText:
            raise DataError(
                "holds bytes that are no UTF-8 text", where=f"{where}:{name}",
                hint="write the column as text, or leave it out",
            ) from None  # fmt: skip
        except msgspec.DecodeError as error:
            raise DataError(
                f"is no JSON, though its type says so: {error}", where=f"{where}:{name}"
            ) from None
    return row


def _reader(field: pyarrow.Field, *, inside: bool = False) -> Read | None:
    """How values of a column are read; None if they are what they should be."""
    import pyarrow.types as types

    kind = field.type
    marked = (field.metadata or {}).get(b"ARROW:extension:name", b"").decode()
    if _JSON in (marked, getattr(kind, "extension_name", "")):
        return _optional(_value)
    while hasattr(kind, "storage_type") or types.is_dictionary(kind):
        kind = kind.value_type if types.is_dictionary(kind) else kind.storage_type
    if types.is_struct(kind):
        parts = {part.name: read for part in kind if (read := _reader(part, inside=True)) is not None}
        return _optional(lambda value: _fields(value, parts)) if parts else None
    if types.is_map(kind):
        return _optional(dict)
    if hasattr(kind, "value_field"):
        item = _reader(kind.value_field, inside=inside)
        return None if item is None else _optional(lambda values: [item(value) for value in values])
    if any(test(kind) for test in _binary()):
        return _optional(_text_or_nothing if inside else _text)
    return None


def _binary() -> list[Callable[[Any], bool]]:
    import pyarrow.types as types

    names = ("is_binary", "is_large_binary", "is_fixed_size_binary", "is_binary_view")
    return [getattr(types, name) for name in names if hasattr(types, name)]


def _optional(read: Read) -> Read:
    return lambda value: None if value is None else read(value)


def _fields(value: Row, parts: dict[str, Read]) -> Row:
    return value | {name: read(value[name]) for name, read in parts.items()}


def _value(text: Any) -> Any:
    """The value that a JSON text writes; integers of any length stay integers."""
    try:
        return msgspec.json.decode(text)
    except msgspec.ValidationError:
        return json.loads(text)


def _text(value: bytes) -> str:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        raise _NoText from None


def _text_or_nothing(value: bytes) -> str | None:
    """Inside an object bytes are pictures and sounds as often as text: those are left out."""
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return None
