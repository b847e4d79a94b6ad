"""`harness report`: the scores of an evaluation, or why there are none."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from harness.benchmarking.folder import EvaluationFolder
    from harness.benchmarking.metrics import Measured


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--scoring", type=int, help="An earlier judgement; 0 is the one made while generating.")
@click.option(
    "--metric", "metrics", multiple=True, metavar="NAME", help="Also a metric of a plugin; repeatable."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
def command(run: Path, scoring: int | None, metrics: tuple[str, ...], as_json: bool) -> int:
    """Print the scores of evaluation RUN with both intervals, by level and subject.

    Exit code 1 when a benchmark has no score: samples are missing or could not be judged.
    """
    from harness.benchmarking.folder import open_folder
    from harness.cli.evaluations import as_values, show_evaluation, show_metrics

    folder = open_folder(run)
    found = _metrics(folder, scoring, metrics) if metrics else {}
    if not as_json:
        complete = show_evaluation(folder, scoring, groups=True)
        show_metrics(found)
        return 0 if complete else 1
    import json

    values = as_values(folder, scoring)
    for benchmark, numbers in found.items():
        values["benchmarks"][benchmark]["metrics"] = numbers
    click.echo(json.dumps(values, indent=1))
    return 1 if any("refused" in row for row in values["benchmarks"].values()) else 0


def _metrics(folder: EvaluationFolder, scoring: int | None, names: tuple[str, ...]) -> Measured:
    from harness.benchmarking.metrics import measured
    from harness.benchmarking.reading import read_evaluation
    from harness.benchmarking.run import prepare_judging
    from harness.cli.context import load_plugins
    from harness.recipe.stage import Use

    evaluated = read_evaluation(folder.folder, scoring)
    complete = [result.benchmark for result in evaluated.results if not result.refusal]
    prepared = prepare_judging(folder.asked, load_plugins())
    return measured(folder, prepared, [Use(name=name) for name in names], complete, evaluated.scoring)
