"""`harness irt`: fit the 2PL model to outcomes of models or checkpoints, and write the scale."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

FILE = click.Path(dir_okay=False, path_type=Path)


@click.group("irt")
def command() -> None:
    """Item response theory: how hard items are and how able models, on one scale."""


@command.command()
@click.option(
    "--run", "runs", multiple=True, metavar="NAME=FOLDER",
    help="Evaluated samples of a folder or ledger; repeatable. An evaluation is one configuration, NAME; a "
    "run is one for each checkpoint that it evaluated, NAME@STAGE-STEP.",
)  # fmt: skip
@click.option(
    "--labels", "label_files", multiple=True, metavar="NAME=PLACE",
    help="Labels as harness show --labels prints them; repeatable. Of a run's folder the labels that it "
    "measured, NAME@STAGE.",
)  # fmt: skip
@click.option("--table", type=FILE, help="Rows of configuration, item, passes and samples (jsonl).")
@click.option("--benchmark", help="Read only this benchmark or held-out set of the runs.")
@click.option("--out", type=FILE, required=True, help="File of the scale.")
def fit(
    runs: Sequence[str], label_files: Sequence[str], table: Path | None, benchmark: str | None, out: Path
) -> None:
    """Fit the 2PL model and write the scale; print abilities with their standard errors."""
    from harness.readout.outcomes import (
        Cells,
        configurations,
        counts,
        from_table,
        labelled,
        mean_tokens,
        named,
    )  # fmt: skip
    from harness.statistics.irt import fit as fitted_to
    from harness.statistics.irt import matrix_of, scale_of, write_scale

    cells: dict[str, Cells] = {}
    for name, place in named(runs, "--run").items():
        cells |= configurations(name, Path(place), benchmark)
    for name, place in named(label_files, "--labels").items():
        cells |= labelled(name, Path(place))
    if table is not None:
        cells |= from_table(table)
    if not cells:
        raise click.UsageError("name outcomes: --run, --labels or --table")
    fitted = fitted_to(matrix_of(counts(cells)))
    tokens = {name: spent for name, cell in cells.items() if (spent := mean_tokens(cell)) is not None}
    write_scale(scale_of(fitted, tokens), out)
    rows = sorted(zip(fitted.configurations, fitted.theta, fitted.theta_se, strict=True), key=lambda r: r[1])
    for name, theta, se in rows:
        extreme = "  solved nothing or everything: finite by the prior" if name in fitted.extreme else ""
        click.echo(f"{theta:7.2f} +- {se:.2f}  {name}{extreme}")
    click.echo(
        f"{len(fitted.items)} items, {len(rows)} configurations, {fitted.rounds} rounds; gauge: abilities of "
        "these configurations have mean 0 and standard deviation 1"
    )
    click.echo(out)
