"""A board's folder on disk: its `board.toml` and its entries."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from harness.board.entry import Entry, SourcePart
from harness.contract.errors import UNPARSABLE, DataError, RecipeError
from harness.recipe.errors import validated
from harness.recording.blotting import blot


class ColumnOptions(BaseModel):
    """One benchmark of a board."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    benchmark: Annotated[str, Field(min_length=1)]
    title: str = ""


class BoardOptions(BaseModel):
    """`board.toml`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: Annotated[str, Field(min_length=1)]
    about: str = ""
    note: str = ""
    columns: Annotated[tuple[ColumnOptions, ...], Field(min_length=1)]


def board_folder(leaderboards: Path, name: str) -> Path:
    """The folder of a board; raises DataError for a name that is no folder's, such as `../x`."""
    if name in ("", ".", "..") or any(mark in name for mark in "/\\\0"):
        raise DataError(
            f"{name!r} is no board's name", where="board", allowed=f"the name of a folder in {leaderboards}"
        )
    return leaderboards / name


def read_options(folder: Path) -> BoardOptions:
    """What a board's `board.toml` says; raises DataError if it cannot be read or does not fit."""
    path = folder / "board.toml"
    if not path.exists():
        boards = sorted(p.parent.name for p in folder.parent.glob("*/board.toml"))
        raise DataError(
            f"there is no board {folder.name!r}: no board.toml", where=str(folder),
            allowed=", ".join(boards), hint="harness board add RUN --board NAME makes one",
        )  # fmt: skip
    try:
        return validated(BoardOptions, tomllib.loads(path.read_text(encoding="utf-8")), where=str(path))
    except (OSError, *UNPARSABLE) as error:
        raise DataError(f"cannot be read: {error}", where=str(path)) from None
    except RecipeError as error:
        raise DataError(error.what, where=str(path), allowed=error.allowed) from None


def read_source(path: Path) -> SourcePart:
    """Where a rejudged entry's generations come from; raises DataError if the file does not fit."""
    try:
        return validated(SourcePart, tomllib.loads(path.read_text(encoding="utf-8")), where=str(path))
    except (OSError, *UNPARSABLE) as error:
        raise DataError(f"cannot be read: {error}", where=str(path)) from None
    except RecipeError as error:
        raise DataError(error.what, where=str(path), allowed=error.allowed) from None


def write_entry(folder: Path, entry: Entry) -> Path:
    """Write one entry into a board's folder, replacing the same recipe's and arm's by the same verifiers.

    One by other verifiers, as from judging recorded answers again, goes beside the first.
    """
    path = folder / "entries" / entry.file_name
    if path.is_file() and set(json.loads(path.read_bytes()).get("verifiers", {})) != set(entry.verifiers):
        path = path.with_name(f"{path.stem}-{'+'.join(sorted(entry.verifiers))}.json")
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_suffix(".new")
    scratch.write_text(blot(entry.to_json()), encoding="utf-8")
    scratch.replace(path)
    return path


def ensure_board(folder: Path, title: str, about: str, entries: Sequence[Entry]) -> None:
    """Make `board.toml` if there is none, with a column for each benchmark."""
    path = folder / "board.toml"
    if path.exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    names = dict.fromkeys(entry.benchmark.name for entry in entries)
    lines = [f"title = {toml_string(title)}", f"about = {toml_string(about)}"]
    for name in names:
        lines += ["", "[[columns]]", f"benchmark = {toml_string(name)}"]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def toml_string(text: str) -> str:
    """A TOML basic string, which JSON's escapes are a subset of."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007F")
