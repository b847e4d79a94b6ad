"""A board's tables: entries whose scores compare, ranked, with what sets each table apart from the next."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from harness.board.differing import differences, in_words
from harness.board.entry import Entry
from harness.board.rank import Pair, Ranked, rank
from harness.board.scatter import Scatter, scatters
from harness.contract.records import digest

#: Ties between neighbours that a sentence names.
NAMED = 3


@dataclass(frozen=True, slots=True)
class Filed:
    """An entry with its file's name, without the ending."""

    stem: str
    entry: Entry

    @property
    def page(self) -> str:
        """The file name of its page, which stays as long as the entry's file does."""
        word = re.sub(r"[^A-Za-z0-9._-]+", "_", self.stem)
        return f"entry-{word if word == self.stem else f'{word}-{digest(self.stem)[:8]}'}.html"


@dataclass(frozen=True, slots=True)
class Axis:
    """A bar's scale: rates from `low` to `high` on 0 to 100 %."""

    low: float
    high: float

    def at(self, rate: float) -> str:
        return f"{100 * (min(max(rate, self.low), self.high) - self.low) / (self.high - self.low):.2f}"

    def span(self, low: float, high: float) -> str:
        return f"{float(self.at(high)) - float(self.at(low)):.2f}"


@dataclass(frozen=True)
class Table:
    """Entries whose scores compare, ranked."""

    #: Names it in addresses: a hash of what its scores have in common.
    name: str
    rows: Sequence[Ranked]
    #: File names of the rows' pages.
    pages: Sequence[str]
    axis: Axis
    metric: str
    problems: int
    profile: str
    sentence: str
    #: What sets it apart from the benchmark's other tables; "" if there is no other.
    apart: str

    @cached_property
    def scatters(self) -> list[Scatter]:
        """Score against tokens and against cost."""
        return scatters(self.rows)

    @property
    def address(self) -> str:
        """The file name of its first page of its own."""
        return f"table-{self.name}.html"


@dataclass(frozen=True, slots=True)
class Column:
    benchmark: str
    title: str
    tables: Sequence[Table]


def tables_of(filed: Sequence[Filed], *, drawn: bool) -> list[Table]:
    """The tables of one benchmark's entries, those with the most entries first.

    Args:
        drawn: whether small tables are tested by drawn sign flips (`harness.board.rank`).
    """
    by_column: dict[tuple[str, ...], list[Filed]] = {}
    for one in filed:
        by_column.setdefault(one.entry.column, []).append(one)
    groups = [group for _, group in sorted(by_column.items(), key=lambda item: (-len(item[1]), item[0]))]
    apart = [in_words(told) for told in differences([group[0].entry for group in groups])]
    return [_table(group, words, drawn) for group, words in zip(groups, apart, strict=True)]


def _table(filed: Sequence[Filed], apart: str, drawn: bool) -> Table:
    entries = [one.entry for one in filed]
    rows, pairs = rank(entries, drawn=drawn)
    first = entries[0]
    shown = [b for e in entries for b in (e.score.rerun, e.score.benchmark, e.score.seeds) if b is not None]
    lows, highs = [b.low for b in shown], [b.high for b in shown]
    axis = Axis(math.floor(min(lows) * 10) / 10, math.ceil(max(highs) * 10) / 10)
    if axis.high - axis.low < 0.1:
        axis = Axis(max(0.0, axis.low - 0.1), min(1.0, axis.high + 0.1))
    p = first.benchmark.profile
    known = [("temperature", "temperature {}"), ("top_p", "top-p {}"), ("max_tokens", "at most {} tokens")]
    profile = ", ".join(text.format(p[k]) for k, text in known if k in p)
    if first.source is not None:
        profile = f"answers that others published, judged here under {p.get('name', 'a profile')}"
    return Table(
        digest(list(first.column))[:10], rows, [filed[row.index].page for row in rows], axis,
        first.score.metric, first.benchmark.problems, profile, tie_sentence(rows, pairs), apart,
    )  # fmt: skip


def tie_sentence(rows: Sequence[Ranked], pairs: Sequence[Pair]) -> str:
    """What the ranking does and does not say, in a sentence."""
    if len(rows) < 2:
        return ""
    adjacent = [p for p in pairs if p.worse == p.better + 1 and not p.separated]
    if not adjacent:
        return "Every entry is separated from every other."
    named = [
        f"{rows[p.better].label} and {rows[p.worse].label} ({100 * p.difference:+.1f} points, p = {p.p:.2g})"
        for p in adjacent[:NAMED]
    ]
    more = f"; and {len(adjacent) - NAMED:,} more pairs of neighbours" if len(adjacent) > NAMED else ""
    seen = max(p.detectable for p in adjacent)
    return (
        f"Ties: {'; '.join(named)}{more}. A difference of {100 * seen:.1f} points would have been seen "
        "4 times in 5."
    )
