"""The static site of a folder of boards.

`index.html` names the boards; `<board>.html` has the best of each table and the cited rows; `<board>/` has a
page for each entry, each table whole, and lists of entries by model, profile, kind and month. Entries that
fail their checks are listed with the reason and never ranked; scores that do not compare (another benchmark
version, profile or verifier) stand in tables of their own.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import jinja2

from harness.board import pages
from harness.board.check import check_entry, misplaced, read_entry
from harness.board.folder import read_options
from harness.board.listing import ORDERS, date_of, kind_of, listed, listings, numbered, order_page, profile_of
from harness.board.references import Reference, read_references
from harness.board.tables import Column, Filed, Table, tables_of
from harness.contract.errors import DataError

SOURCE_TYPES: Final = {
    "documentation": "the authors' own number",
    "third_party": "rerun by others",
    "evaluation_run": "from published samples",
}
#: Rows of a board's first page over all tables, rows of a table's page, refused entries that are named.
FIRST_ROWS: Final = 240
TABLE_ROWS: Final = 400
REFUSED: Final = 50
#: Entries up to which a board's page also says how each was measured.
DETAILS: Final = 40
#: Entries of a board up to which small tables are tested by drawn sign flips, up to 0.1 s per pair.
DRAWN: Final = 500
#: What this writes into a board's folder, and takes away when it is no more.
WRITTEN: Final = ("entry-*.html", "list-*.html", "table-*.html", "model-*.html", "profile-*.html",
                  "kind-*.html", "month-*.html")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Refused:
    file: str
    reason: str


@dataclass(frozen=True, slots=True)
class Board:
    """A board as its pages show it."""

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

    @property
    def whole(self) -> bool:
        """Whether its first page has all of it."""
        return self.measured <= FIRST_ROWS

    @property
    def shown(self) -> int:
        """Rows per table on the first page: all of them where there are few, and always some."""
        tables = sum(len(column.tables) for column in self.columns)
        return FIRST_ROWS if self.whole else max(3, FIRST_ROWS // tables)

    @property
    def tables(self) -> int:
        """Tables per column on the first page."""
        return FIRST_ROWS if self.whole else max(1, FIRST_ROWS // (self.shown * len(self.columns)))


def board_folders(root: Path) -> list[Path]:
    """Folders with a `board.toml`.

    Raises:
        DataError: there is no board under `root`.
    """
    folders = sorted(p.parent for p in root.glob("*/board.toml"))
    if not folders:
        raise DataError("no board here", where=str(root), allowed="folders with a board.toml")
    return folders


def read_board(folder: Path) -> Board:
    """Read a board's folder, check its entries and rank them.

    Raises:
        DataError: `board.toml` or a reference does not fit.
    """
    options = read_options(folder)
    filed, refused = _entries(folder, {c.benchmark for c in options.columns})
    of: dict[str, list[Filed]] = {}
    for one in filed:
        of.setdefault(one.entry.benchmark.name, []).append(one)
    columns = [
        Column(
            c.benchmark,
            c.title or c.benchmark,
            tables_of(of.get(c.benchmark, []), drawn=len(filed) <= DRAWN),
        )
        for c in options.columns
    ]
    references = read_references(folder / "references")
    return Board(folder.name, options.title, options.about, options.note, columns, references, refused)


def build_site(root: Path, out: Path) -> list[Path]:
    """Write the site of every board under `root` to `out`; returns the index, the boards' pages and then the
    pages in their folders."""
    with _not_collecting():
        return _build(root, out)


@contextmanager
def _not_collecting() -> Iterator[None]:
    """Entries are millions of values that live to the end: the collector would walk them again and again, a
    third of the time of a large board, and find nothing."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def _build(root: Path, out: Path) -> list[Path]:
    env = pages.environment()
    env.globals.update(profile_of=profile_of, kind_of=kind_of, date_of=date_of, orders=list(ORDERS),
                       order_page=order_page, source_types=SOURCE_TYPES, details=DETAILS,
                       named_refused=REFUSED)  # fmt: skip
    boards = [read_board(folder) for folder in board_folders(root)]
    first: list[Path] = []
    inner: list[Path] = []
    for board in boards:
        html = env.get_template("board.html").render(board=board, folder=f"{board.name}/")
        first.append(pages.write(out / f"{board.name}.html", html))
        made = list(_pages(board, out / board.name, env)) if board.measured else []
        kept = {path.name for path in made}
        for pattern in WRITTEN:
            for path in (out / board.name).glob(pattern):
                if path.name not in kept:
                    path.unlink()
        inner += made
    pages.write(out / "style.css", pages.style())
    index = env.get_template("index.html").render(boards=boards)
    return [pages.write(out / "index.html", index), *first, *inner]


def _pages(board: Board, folder: Path, env: jinja2.Environment) -> Iterator[Path]:
    """The pages of a board's folder."""
    folder.mkdir(parents=True, exist_ok=True)
    entry_page, list_page = env.get_template("entry.html"), env.get_template("list.html")
    common: dict[str, Any] = {"board": board, "folder": "", "sheet": "../style.css"}
    rows = listed(board.columns)
    for one in rows:
        yield pages.write(folder / one.page, entry_page.render(one=one, **common))
    for column in board.columns:
        for table in column.tables:
            yield from _table_pages(column, table, folder, env, common)
    line = env.get_template("lines.html").module.line  # type: ignore[attr-defined]
    lines = {one.page: line(one) for one in rows}
    made, facets = listings(rows)
    for listing in made:
        names = [name for name, _ in listing.pages]
        for name, part in listing.pages:
            html = list_page.render(
                listing=listing, lines=[lines[one.page] for one in part], here=name, names=names,
                facets=facets, **common,
            )  # fmt: skip
            yield pages.write(folder / name, html)


def _table_pages(
    column: Column, table: Table, folder: Path, env: jinja2.Environment, common: dict[str, Any]
) -> Iterator[Path]:
    template = env.get_template("table.html")
    cuts = range(0, len(table.rows), TABLE_ROWS)
    names = [numbered(table.address, n) for n in range(1, len(cuts) + 1)]
    for name, cut in zip(names, cuts, strict=True):
        html = template.render(
            column=column, table=table, first=cut, last=cut + TABLE_ROWS, here=name, names=names, **common
        )
        yield pages.write(folder / name, html)


def _entries(folder: Path, benchmarks: set[str]) -> tuple[list[Filed], list[Refused]]:
    good: list[Filed] = []
    refused: list[Refused] = []
    for path in sorted((folder / "entries").glob("*.json")):
        try:
            entry = read_entry(path)
        except DataError as error:
            refused.append(Refused(path.name, "; ".join(error.what.splitlines())))
            continue
        faults = [fault.what for fault in check_entry(entry, path.name)]
        faults += misplaced(entry, folder.name, benchmarks)
        if faults:
            more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
            refused.append(Refused(path.name, faults[0] + more))
        else:
            good.append(Filed(path.stem, entry))
    return good, refused
