"""Boards: entries, options, references and where rejudged answers come from."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from harness.board.check import check_board, check_file
from harness.board.folder import read_source
from harness.board.site import build_site
from tests.support import fuzz
from tests.support.places import ROOT

BOARD = ROOT / "leaderboards" / "reasoning"


def _short(entry: dict[str, Any]) -> dict[str, Any]:
    """An entry with few problems, so that edits reach its other parts as well."""
    for table in ("problems", "answers"):
        entry[table] = dict(list(entry.get(table, {}).items())[:3])
    return entry


ENTRIES = [_short(json.loads(path.read_bytes())) for path in sorted((BOARD / "entries").glob("*.json"))]
OPTIONS = [tomllib.loads((BOARD / "board.toml").read_text())]
REFERENCES = [tomllib.loads(path.read_text()) for path in sorted((BOARD / "references").glob("*.toml"))]
SOURCES = [tomllib.loads(path.read_text()) for path in sorted((BOARD / "sources").glob("*.toml"))]


def toml(documents: list[Any]) -> st.SearchStrategy[bytes]:
    whole = [fuzz.as_toml(document).encode() for document in documents]
    return st.one_of(fuzz.mutated(documents).map(fuzz.as_toml).map(str.encode), fuzz.torn(whole))


@fuzz.examples(200)
@given(
    content=st.one_of(
        fuzz.mutated(ENTRIES).map(fuzz.as_json), fuzz.torn([fuzz.as_json(entry) for entry in ENTRIES])
    )
)
def test_an_entry_is_checked(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "entry.json"
    path.write_bytes(content)
    fuzz.outcome("board entry", lambda: check_file(path), shown=content)


@fuzz.examples(60)
@given(
    entries=st.lists(fuzz.mutated(ENTRIES, edits=1).map(fuzz.as_json), min_size=1, max_size=2),
    options=st.one_of(st.just(fuzz.as_toml(OPTIONS[0]).encode()), toml(OPTIONS)),
    reference=st.one_of(st.just(fuzz.as_toml(REFERENCES[0]).encode()), toml(REFERENCES)),
)
def test_a_board_is_built_or_refused(
    entries: list[bytes], options: bytes, reference: bytes, tmp_path: Path
) -> None:
    board = tmp_path / "boards" / "reasoning"
    for part in ("entries", "references"):
        (board / part).mkdir(parents=True, exist_ok=True)
    for old in (board / "entries").iterdir():
        old.unlink()
    for number, entry in enumerate(entries):
        (board / "entries" / f"{number}.json").write_bytes(entry)
    (board / "board.toml").write_bytes(options)
    (board / "references" / "a.toml").write_bytes(reference)
    given_all = (entries, options, reference)
    fuzz.outcome("board check", lambda: check_board(board), shown=given_all)
    fuzz.outcome("board build", lambda: build_site(board.parent, tmp_path / "site"), shown=given_all)


@fuzz.examples(100)
@given(content=toml(SOURCES))
def test_a_source_is_read_or_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "source.toml"
    path.write_bytes(content)
    fuzz.outcome("board source", lambda: read_source(path), shown=content)
