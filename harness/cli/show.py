"""`harness show RUN`: what happened in a study or in one of its runs."""

from __future__ import annotations

from pathlib import Path

import click

from harness.errors import LedgerError, near


@click.command("show")
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--labels", is_flag=True, help="Print the last measured difficulty labels as jsonl.")
def command(run: Path, labels: bool) -> None:
    """Show the study or the run in folder RUN (a path, or a name under runs/).

    What --labels prints can be a recipe's `difficulty.labels`: one model's pass rates for another's rules.
    """
    if labels:
        _print_labels(_found(run))
        return
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


def _print_labels(folder: Path) -> None:
    from harness.readout import read_run
    from harness.records import builtins, encode

    if not (folder / "ledger.jsonl").is_file():
        raise LedgerError(
            "labels are one run's, and this is no run", where=str(folder), hint="name <study>/<arm>/seed-<n>"
        )
    measured = read_run(folder).labels
    if not measured:
        raise LedgerError("nothing was measured in this run", where=str(folder))
    for label in measured[-1].labels:
        click.echo(encode({"id": label.subject, **builtins(label)}))


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
