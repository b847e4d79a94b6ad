"""`harness report`: the scores of an evaluation, or why there are none; the pages of a training study."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.contract.errors import LedgerError, RecipeError, near

if TYPE_CHECKING:
    from harness.benchmarking.folder import EvaluationFolder
    from harness.benchmarking.metrics import Measured


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--scoring",
    type=int,
    help="Number of an earlier judgement; 0 is the one made while generating. Default: the last.",
)
@click.option(
    "--metric", "metrics", multiple=True, metavar="NAME", help="Also print this plugin metric; repeatable."
)
@click.option(
    "--set", "settings", multiple=True, metavar="METRIC.OPTION=VALUE",
    help="Set an option of a --metric; repeatable.",
)  # fmt: skip
@click.option(
    "--pass-at",
    "ks",
    type=click.IntRange(min=1),
    multiple=True,
    metavar="K",
    help="Also print pass@K with its interval, for any K up to the samples per problem; repeatable.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option(
    "--step", "steps", multiple=True, type=click.IntRange(1), metavar="N",
    help="For a training study: show the samples of this step on the pages of its runs; repeatable.",
)  # fmt: skip
def command(
    run: Path,
    scoring: int | None,
    metrics: tuple[str, ...],
    settings: tuple[str, ...],
    as_json: bool,
    steps: tuple[int, ...],
    ks: tuple[int, ...],
) -> int:
    """Print the scores of evaluation RUN with both intervals, by level and subject.

    For a training study, have the reporters of its recipe write their pages and entries again.

    Exit code 1 if a benchmark has no score: samples are missing or could not be judged; 3 if nearly all
    samples (90 %) of one have no answer for one reason.
    """
    from harness.benchmarking.folder import STUDY_FILE, NotAnEvaluation, open_folder
    from harness.cli.evaluations import as_values, show_evaluation, show_metrics
    from harness.cli.passes import passes_at, show_passes

    if not (run / STUDY_FILE).is_file():
        raise LedgerError(
            "is the folder of neither an evaluation nor a training study" if run.exists() else "is not there",
            where=str(run), hint="harness runs [FOLDER] lists the studies of a folder",
        )  # fmt: skip
    try:
        folder = open_folder(run)
    except NotAnEvaluation:
        if scoring is not None or metrics or settings or ks or as_json:
            raise
        return _study(run, steps)
    if steps:
        raise click.UsageError("--step is for training studies; this is an evaluation")
    options = metric_options(metrics, settings)
    measured = _metrics(folder, scoring, options) if options else {}
    curves = passes_at(folder, scoring, ks) if ks else {}
    if not as_json:
        code = show_evaluation(folder, scoring, groups=True)
        show_metrics(measured)
        show_passes(curves)
        return code
    import json

    values, code = as_values(folder, scoring)
    for benchmark, numbers in measured.items():
        values["benchmarks"][benchmark]["metrics"] = numbers
    for benchmark, points in curves.items():
        values["benchmarks"][benchmark]["pass_at"] = {
            str(p.k): {"value": p.value, "low": p.benchmark.low, "high": p.benchmark.high} for p in points
        }
    click.echo(json.dumps(values, indent=1))
    return code


def _study(run: Path, steps: tuple[int, ...]) -> int:
    """Let the reporters of a training study's recipe write again."""
    from harness.cli.context import load_plugins
    from harness.cli.run import show_reported
    from harness.planning.plan import make_plans
    from harness.recipe import load_recipe
    from harness.running import study as studies

    study = studies.open_study(run)
    plugins = load_plugins(study.recipe_path)
    with studies.as_it_was(study):
        file = load_recipe(study.recipe_path, study.overrides)
        plan = make_plans(file, plugins, arms={arm for arm, _ in study.runs})[0]
    show_reported(studies.report(study, plan, steps))
    return 0


def metric_options(metrics: tuple[str, ...], settings: tuple[str, ...]) -> dict[str, Mapping[str, Any]]:
    """Options by metric, from `metric.option=value` settings whose values are TOML.

    Raises:
        RecipeError: a setting is of another form, or of a metric that is not asked for.
    """
    from harness.recipe.load import override_value

    values: dict[str, Any] = {name: {} for name in metrics}
    for setting in settings:
        name, dot, option = setting.partition("=")[0].partition(".")
        if not dot or not option:
            raise RecipeError(
                f"{setting!r} is not of the form METRIC.OPTION=VALUE", where="--set", allowed="g-pass.k=4"
            )
        if name not in metrics:
            raise RecipeError(
                f"{setting!r}: no --metric {name}", where="--set", allowed=near(name, metrics),
                hint=f"--metric {name} --set {setting}",
            )  # fmt: skip
        values = override_value(values, setting)
    return values


def _metrics(
    folder: EvaluationFolder, scoring: int | None, options: Mapping[str, Mapping[str, Any]]
) -> Measured:
    from harness.benchmarking.metrics import measured
    from harness.benchmarking.reading import read_evaluation
    from harness.benchmarking.run import prepare_judging
    from harness.cli.context import load_plugins

    evaluated = read_evaluation(folder.folder, scoring)
    complete = [result.benchmark for result in evaluated.results if not result.refusal]
    prepared = prepare_judging(folder.asked, load_plugins())
    return measured(folder, prepared, options, complete, evaluated.scoring)
