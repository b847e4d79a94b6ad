"""Tables: with rich on a terminal, else as plain aligned lines."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass

import click


@dataclass(frozen=True, slots=True)
class Table:
    """Words in columns."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    title: str = ""


def show(table: Table) -> None:
    """Print a table."""
    if sys.stdout.isatty():
        _rich(table)
    else:
        _plain(table)


def _plain(table: Table) -> None:
    widths = [max(len(row[i]) for row in (table.columns, *table.rows)) for i in range(len(table.columns))]
    if table.title:
        click.echo(table.title)
    for row in (table.columns, *table.rows):
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _rich(table: Table) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table as RichTable

    made = RichTable(
        *map(escape, table.columns),
        title=escape(table.title) or None,
        title_justify="left",
        box=None,
        pad_edge=False,
    )
    for row in table.rows:
        made.add_row(*map(escape, row))
    Console().print(made)
