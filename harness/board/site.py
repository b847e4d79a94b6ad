"""The static site: an index and one page a board, from a folder of boards.

A board is a folder with `board.toml`, `entries/*.json` and `references/*.toml`. Entries that fail
their checks are listed with the reason and never ranked; scores that do not compare (another
benchmark version, profile or verifier) stand in tables of their own.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

from harness.board import pages
from harness.board.check import check_entry, read_entry
from harness.board.entry import Entry
from harness.board.rank import Pair, Ranked, rank
from harness.board.references import Reference, read_references
from harness.errors import DataError, RecipeError
from harness.recipe.errors import validated

SOURCE_TYPES: Final = {
    "documentation": "the authors' own number",
    "third_party": "rerun by others",
    "evaluation_run": "from published samples",
}


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


@dataclass(frozen=True, slots=True)
class Axis:
    """A bar's scale: rates from `low` to `high` on 0 to 100 %."""

    low: float
    high: float

    def at(self, rate: float) -> str:
        return f"{100 * (min(max(rate, self.low), self.high) - self.low) / (self.high - self.low):.2f}"

    def span(self, low: float, high: float) -> str:
        return f"{float(self.at(high)) - float(self.at(low)):.2f}"


@dataclass(frozen=True, slots=True)
class Table:
    """Entries whose scores compare, ranked."""

    rows: Sequence[Ranked]
    axis: Axis
    metric: str
    problems: int
    profile: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Column:
    benchmark: str
    title: str
    tables: Sequence[Table]


@dataclass(frozen=True, slots=True)
class Refused:
    file: str
    reason: str


@dataclass(frozen=True, slots=True)
class Board:
    """A board as its page shows it."""

    name: str
    title: str
    about: str
    note: str
    columns: Sequence[Column]
    references: Sequence[Reference]
    refused: Sequence[Refused] = field(default_factory=tuple)

    @property
    def measured(self) -> int:
        return sum(len(t.rows) for c in self.columns for t in c.tables)

    @property
    def cited(self) -> int:
        return sum(len(r.rows) for r in self.references)


def board_folders(root: Path) -> list[Path]:
    """Folders with a `board.toml`.

    Raises:
        DataError: there is no board under `root`.
    """
    found = sorted(p.parent for p in root.glob("*/board.toml"))
    if not found:
        raise DataError("no board here", where=str(root), allowed="folders with a board.toml")
    return found


def read_board(folder: Path) -> Board:
    """Read a board's folder, check its entries and rank them.

    Raises:
        DataError: `board.toml` or a reference does not fit.
    """
    path = folder / "board.toml"
    try:
        options = validated(BoardOptions, tomllib.loads(path.read_text(encoding="utf-8")), where=str(path))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"cannot be read: {error}", where=str(path)) from None
    except RecipeError as error:
        raise DataError(error.what, where=str(path)) from None
    entries, refused = _entries(folder, {c.benchmark for c in options.columns})
    columns = [
        Column(
            c.benchmark,
            c.title or c.benchmark,
            _tables([e for e in entries if e.benchmark.name == c.benchmark]),
        )
        for c in options.columns
    ]
    references = read_references(folder / "references")
    return Board(folder.name, options.title, options.about, options.note, columns, references, refused)


def build_site(root: Path, out: Path) -> list[Path]:
    """Write the site of every board under `root` to `out`; returns the files written."""
    env = pages.environment()
    boards = [read_board(folder) for folder in board_folders(root)]
    written = [
        pages.write(
            out / f"{board.name}.html",
            env.get_template("board.html").render(board=board, source_types=SOURCE_TYPES),
        )
        for board in boards
    ]
    index = env.get_template("index.html").render(boards=boards)
    return [pages.write(out / "index.html", index), *written]


def _entries(folder: Path, benchmarks: set[str]) -> tuple[list[Entry], list[Refused]]:
    good: list[Entry] = []
    refused: list[Refused] = []
    for path in sorted((folder / "entries").glob("*.json")):
        try:
            entry = read_entry(path)
        except DataError as error:
            refused.append(Refused(path.name, "; ".join(error.what.splitlines())))
            continue
        faults = [fault.what for fault in check_entry(entry, path.name)]
        if entry.board != folder.name:
            faults.append(f"board: it belongs to {entry.board!r}")
        if entry.benchmark.name not in benchmarks:
            faults.append(f"benchmark.name: this board has no column {entry.benchmark.name!r}")
        if faults:
            more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
            refused.append(Refused(path.name, faults[0] + more))
        else:
            good.append(entry)
    return good, refused


def _tables(entries: Sequence[Entry]) -> list[Table]:
    by_column: dict[tuple[str, ...], list[Entry]] = {}
    for entry in entries:
        by_column.setdefault(entry.column, []).append(entry)
    return [_table(group) for _, group in sorted(by_column.items())]


def _table(entries: Sequence[Entry]) -> Table:
    rows, pairs = rank(entries)
    first = entries[0]
    shown = [b for e in entries for b in (e.score.rerun, e.score.benchmark, e.score.seeds) if b is not None]
    lows, highs = [b.low for b in shown], [b.high for b in shown]
    axis = Axis(math.floor(min(lows) * 10) / 10, math.ceil(max(highs) * 10) / 10)
    if axis.high - axis.low < 0.1:
        axis = Axis(max(0.0, axis.low - 0.1), min(1.0, axis.high + 0.1))
    p = first.benchmark.profile
    known = [("temperature", "temperature {}"), ("top_p", "top-p {}"), ("max_tokens", "at most {} tokens")]
    profile = ", ".join(text.format(p[k]) for k, text in known if k in p)
    return Table(rows, axis, first.score.metric, first.benchmark.problems, profile, tie_sentence(rows, pairs))


def tie_sentence(rows: Sequence[Ranked], pairs: Sequence[Pair]) -> str:
    """What the ranking does and does not say, in a sentence."""
    if len(rows) < 2:
        return ""
    adjacent = [p for p in pairs if p.worse == p.better + 1 and not p.separated]
    if not adjacent:
        return "Every entry is separated from every other."
    named = [
        f"{rows[p.better].label} and {rows[p.worse].label} ({100 * p.difference:+.1f} points, p = {p.p:.2g})"
        for p in adjacent
    ]
    seen = max(p.detectable for p in adjacent)
    return (
        f"Ties: {'; '.join(named)}. A difference of {100 * seen:.1f} points would have been seen "
        "4 times in 5."
    )
