"""`harness show RUN`: what happened in a study or in one of its runs."""

from __future__ import annotations

from pathlib import Path

import click

from harness.errors import LedgerError, near


@click.command("show")
@click.argument("run", type=click.Path(path_type=Path))
def command(run: Path) -> None:
    """Show the study or the run in folder RUN (a path, or a name under runs/)."""
    from harness.cli.tables import show
    from harness.cli.words import run_tables, study_tables
    from harness.readout import read_run, read_study

    folder = _found(run)
    if (folder / "ledger.jsonl").is_file():
        lines, tables = run_tables(read_run(folder))
    else:
        lines, tables = study_tables(read_study(folder))
    for line in lines:
        click.echo(line)
    for table in tables:
        click.echo()
        show(table)
    page = folder / "report" / "index.html"
    if page.is_file():
        click.echo(f"\npage: {page}")


def _found(run: Path) -> Path:
    from harness.readout import studies

    for folder in (run, Path("runs") / run):
        if folder.is_dir():
            return folder
    raise LedgerError(
        "no such study or run",
        where=str(run),
        allowed=near(str(run), (p.name for p in studies(Path("runs")))),
    )
