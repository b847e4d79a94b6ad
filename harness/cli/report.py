"""`harness report`: the scores of an evaluation, or why there are none."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--scoring", type=int, help="An earlier judgement; 0 is the one made while generating.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
def command(run: Path, scoring: int | None, as_json: bool) -> int:
    """Print the scores of evaluation RUN with both intervals, by level and subject.

    Exit code 1 when a benchmark has no score: samples are missing or could not be judged.
    """
    from harness.benchmarking.folder import open_folder
    from harness.cli.evaluations import as_values, show_evaluation

    folder = open_folder(run)
    if not as_json:
        return 0 if show_evaluation(folder, scoring, groups=True) else 1
    import json

    values = as_values(folder, scoring)
    click.echo(json.dumps(values, indent=1))
    return 1 if any("refused" in row for row in values["benchmarks"].values()) else 0
