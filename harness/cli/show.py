"""`harness show RUN`: what happened in a study or in one of its runs."""

from __future__ import annotations

from pathlib import Path

import click

from harness.contract.errors import LedgerError, near


@click.command("show")
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--labels", is_flag=True, help="Print the last measured difficulty labels as jsonl.")
@click.option(
    "--samples", "with_samples", is_flag=True, help="Print samples of training with their evidence."
)
@click.option("--stage", default="", help="With --samples: the stage.")
@click.option("--step", type=int, help="With --samples: the step within its stage.")
@click.option("--task", default="", help="With --samples: the task or its subject.")
@click.option("--sample", "number", type=int, help="With --samples: the number within the task's group.")
@click.option("--status", default="", help="With --samples: the verdict's status, such as fail.")
@click.option("--limit", default=50, show_default=True, help="With --samples: how many samples at most.")
def command(
    run: Path, labels: bool, with_samples: bool, stage: str, step: int | None, task: str, number: int | None,
    status: str, limit: int,
) -> None:  # fmt: skip
    """Show the study or the run in folder RUN (a path, or a name under runs/).

    Another recipe can read what --labels prints as `difficulty.labels`; its rules then use these pass rates.
    If --samples finds a single sample, it prints all that the ledger has of it.
    """
    if labels:
        _print_labels(_found(run))
        return
    if with_samples:
        from harness.cli.samples import print_samples
        from harness.readout.samples import Wanted

        print_samples(_found(run), Wanted(stage, step, task, number, status), limit)
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
    from harness.contract.records import builtins, encode
    from harness.readout import read_run

    if not (folder / "ledger.jsonl").is_file():
        raise LedgerError(
            "labels belong to a run, and this folder is not a run's",
            where=str(folder),
            hint="name <study>/<arm>/seed-<n>",
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
