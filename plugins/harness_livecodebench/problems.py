"""From a file's rows to problems: the official layout, and statements with public tests alone.

Rows are read once per file: their tests go into the store and the rest into an index beside it, so that
opening a release of gigabytes takes a second from then on.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
from harness_tasks.rows import RowFault

from harness.contract import DataError, digest
from harness_livecodebench.encoding import EncodingError, unpack_tests
from harness_livecodebench.store import Store, Test

#: Changes when the index or the store does.
LAYOUT: Final = 1
MAX_FAULTS: Final = 10


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """One problem without its tests."""

    id: str
    title: str
    question: str
    platform: str
    date: str
    starter: str
    difficulty: str
    #: Method of `Solution` to call; None for programs that read stdin.
    entry_point: str | None
    #: Name in the store and number of its public tests, and of all of them, public ones first. Where the
    #: private ones are not known, all of them are the public ones.
    public: tuple[str, int]
    tests: tuple[str, int]
    #: Releases that it is known to be in, if the file says so.
    in_v5: bool | None = None


def read_file(path: Path, store: Store, cache: Path) -> list[Problem]:
    """A file's problems, from the index if the file is as it was.

    Raises:
        DataError: rows do not fit; up to 10 are named as file:line:field.
    """
    facts = path.stat()
    key = digest([str(path.resolve()), facts.st_size, facts.st_mtime_ns, LAYOUT])
    index = cache / "livecodebench" / "index" / f"{key}.jsonl"
    if index.is_file():
        decoder = msgspec.json.Decoder(Problem)
        known = [decoder.decode(line) for line in index.read_bytes().splitlines()]
        if all(store.has(name) for p in known for name, _ in (p.public, p.tests)):
            return known
    problems = list(_read(path, store))
    index.parent.mkdir(parents=True, exist_ok=True)
    scratch = index.with_name(f"{index.name}.{os.getpid()}-{threading.get_ident()}")
    scratch.write_bytes(b"".join(msgspec.json.encode(problem) + b"\n" for problem in problems))
    scratch.replace(index)
    return problems


def _read(path: Path, store: Store) -> Iterator[Problem]:
    faults: list[str] = []
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                yield _problem(_row(line), store)
            except RowFault as fault:
                faults.append(f"{path}:{number}:{fault.field}: {fault.what}")
            if len(faults) == MAX_FAULTS:
                break
    if faults:
        raise DataError("\n".join(faults))


def _row(line: bytes) -> dict[str, Any]:
    try:
        row = msgspec.json.decode(line)
    except msgspec.DecodeError as error:
        raise RowFault("", f"is not JSON: {error}") from None
    if not isinstance(row, dict):
        raise RowFault("", f"is not an object but {type(row).__name__}")
    return row


def _problem(row: Mapping[str, Any], store: Store) -> Problem:
    starter = _text(row, "starter_code", empty=True)
    public = _tests(row, "public_test_cases")
    private = _tests(row, "private_test_cases") if "private_test_cases" in row else []
    entry_point = _entry_point(row)
    kinds = {kind for kind, _ in (*public, *private)}
    wanted = "stdin" if entry_point is None else "functional"
    if kinds - {wanted}:
        raise RowFault(
            "public_test_cases", f"has tests of {', '.join(sorted(kinds))} where {wanted} is meant"
        )
    tests = [test for _, test in (*public, *private)]
    return Problem(
        id=_text(row, "question_id"),
        title=_text(row, "question_title"),
        question=_text(row, "question_content"),
        platform=_text(row, "platform"),
        date=_text(row, "contest_date"),
        starter=starter,
        difficulty=_text(row, "difficulty"),
        entry_point=entry_point,
        public=(store.put(tests[: len(public)]), len(public)),
        tests=(store.put(tests), len(tests)),
        in_v5=row.get("in_release_v5"),
    )


def _entry_point(row: Mapping[str, Any]) -> str | None:
    """`metadata.func_name`; a file without metadata names it otherwise."""
    if "metadata" not in row:
        name = row.get("fn_name_from_starter")
    else:
        metadata = row["metadata"]
        try:
            facts = json.loads(metadata) if isinstance(metadata, str) else metadata
            name = facts.get("func_name")
        except (ValueError, AttributeError):
            raise RowFault("metadata", f"must be a JSON object, not {metadata!r:.60}") from None
    if name is not None and (not isinstance(name, str) or not name.isidentifier()):
        raise RowFault("metadata", f"func_name must be a name, not {name!r:.60}")
    return name


def _tests(row: Mapping[str, Any], field: str) -> list[tuple[str, Test]]:
    """(kind, test) of a column; none if it is null."""
    value = row.get(field)
    try:
        listed = unpack_tests(value) if isinstance(value, str) else value or []
    except EncodingError as error:
        raise RowFault(field, str(error)) from None
    out = []
    for number, test in enumerate(listed):
        parts = [test.get(name) for name in ("input", "output", "testtype")] if isinstance(test, dict) else []
        if len(parts) != 3 or not all(isinstance(part, str) for part in parts):
            raise RowFault(field, f"test {number} must have input, output and testtype, not {test!r:.60}")
        out.append((str(parts[2]), (str(parts[0]), str(parts[1]))))
    return out


def _text(row: Mapping[str, Any], name: str, *, empty: bool = False) -> str:
    value = row.get(name)
    if not isinstance(value, str) or not (value or empty):
        raise RowFault(name, f"must be text, not {value!r:.60}")
    return value
