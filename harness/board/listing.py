"""Lists of a board's entries: all of them in several orders, and those of one model, profile, kind or month.

They are what filtering and sorting are without a script, and where a board of thousands is looked through.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from harness.board.entry import Entry
from harness.board.rank import Ranked
from harness.board.tables import Column
from harness.contract.records import digest

#: Rows of a page, which keep it below a megabyte.
ROWS: Final = 1_000
#: Links to values of one facet that a page carries, those with the most entries.
VALUES: Final = 100


@dataclass(frozen=True, slots=True)
class Listed:
    """An entry in a list."""

    row: Ranked
    #: File names of its page and of its table's.
    page: str
    table: str
    benchmark: str
    #: How many entries its table has.
    of: int

    @property
    def entry(self) -> Entry:
        return self.row.entry


@dataclass(frozen=True, slots=True)
class Link:
    """A list by its file name."""

    title: str
    page: str
    size: int


@dataclass(frozen=True, slots=True)
class Listing:
    """A list, to be cut into pages."""

    title: str
    page: str
    rows: Sequence[Listed]

    @property
    def pages(self) -> list[tuple[str, Sequence[Listed]]]:
        """File names with their rows; the first has the list's own name."""
        cuts = range(0, max(len(self.rows), 1), ROWS)
        return [(numbered(self.page, n), self.rows[cut : cut + ROWS]) for n, cut in enumerate(cuts, 1)]


def numbered(page: str, number: int) -> str:
    """The file name of a list's or table's n-th page."""
    return page if number == 1 else f"{page.removesuffix('.html')}-{number}.html"


def profile_of(entry: Entry) -> str:
    """The profile's name; a recipe's held-out set has none."""
    return str(entry.benchmark.profile.get("name") or "of a recipe")


def kind_of(entry: Entry) -> str:
    """`simulated` before the entry's own kind, because it says more."""
    return "simulated" if entry.recipe.simulated else entry.kind


def date_of(entry: Entry) -> str:
    """The day on which it was finished; "" if it does not say."""
    return entry.finished[:10]


FACETS: Final[Mapping[str, Callable[[Entry], str]]] = {
    "model": lambda e: e.model.name,
    "profile": profile_of,
    "kind": kind_of,
    "month": lambda e: date_of(e)[:7] or "no date",
}
#: How each order of all entries is called, and what it sorts by. The first is as the tables have them.
ORDERS: Final[Mapping[str, Callable[[Listed], object]]] = {
    "benchmark": lambda one: 0,
    "model": lambda one: one.entry.model.name.lower(),
    "date": lambda one: tuple(-ord(mark) for mark in date_of(one.entry)) or (1,),
    "tokens": lambda one: one.entry.health.tokens or float("inf"),
    "cost": lambda one: (one.entry.cost.usd, one.entry.cost.tokens),
}


def listed(columns: Sequence[Column]) -> list[Listed]:
    """Every entry of the tables, in their order."""
    return [
        Listed(row, page, table.address, column.title, len(table.rows))
        for column in columns
        for table in column.tables
        for row, page in zip(table.rows, table.pages, strict=True)
    ]


def listings(rows: Sequence[Listed]) -> tuple[list[Listing], dict[str, list[Link]]]:
    """All lists of a board, and by facet the links to them, those with the most entries first.

    A facet's values beyond `VALUES` have no list of their own: their entries stand in those of all.
    """
    made = [
        Listing(f"by {order}", order_page(order), sorted(rows, key=key))  # type: ignore[arg-type]
        for order, key in ORDERS.items()
    ]
    links: dict[str, list[Link]] = {}
    for facet, of in FACETS.items():
        members: dict[str, list[Listed]] = {}
        for one in rows:
            members.setdefault(of(one.entry), []).append(one)
        counts = Counter({value: len(them) for value, them in members.items()})
        links[facet] = []
        for value, size in counts.most_common(VALUES):
            page = f"{facet}-{_word(value)}.html"
            links[facet].append(Link(value, page, size))
            made.append(Listing(f"{facet} {value}", page, members[value]))
    return made, links


def order_page(order: str) -> str:
    """The file name of all entries in an order."""
    return f"list-{order}.html"


def _word(value: str) -> str:
    """A value as part of a file name, never the same for two."""
    word = re.sub(r"[^A-Za-z0-9._-]+", "_", value)[:60]
    return word if word == value else f"{word}-{digest(value)[:8]}"
