"""`harness score`: judge recorded answers again, or import another tool's answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from harness.cli.completing import names_of
from harness.cli.context import load_plugins


@click.command()
@click.argument("run", type=click.Path(path_type=Path), required=False)
@click.option("--verifier", help="Judge with this verifier instead of the profile's.")
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="OPTION=VALUE",
    help="Set an option of the verifier; repeatable.",
)
@click.option(
    "--import",
    "outputs",
    type=click.Path(path_type=Path),
    metavar="OUTPUTS",
    help="Take another tool's answers (JSON lines, also .gz, or parquet) into a new evaluation.",
)
@click.option(
    "-b", "--benchmark", shell_complete=names_of("benchmarks"), help="The benchmark that OUTPUTS answers."
)
@click.option(
    "--model",
    default="",
    help="Name of the model that wrote OUTPUTS. Default: as its rows say, else the file's name.",
)
@click.option(
    "--profile", default="r1-standard", show_default=True, shell_complete=names_of("profiles"),
    help="The profile that judges OUTPUTS.",
)  # fmt: skip
@click.option(
    "--override",
    "overrides",
    multiple=True,
    metavar="PATH=VALUE",
    help="Change a field of the profile; repeatable.",
)
@click.option(
    "--skip-others",
    "others",
    is_flag=True,
    help="Skip rows of OUTPUTS that answer no problem of the benchmark.",
)
@click.option(
    "--samples", type=click.IntRange(1), help="Samples per problem in OUTPUTS; by default they are counted."
)
@click.option(
    "--where",
    "where",
    multiple=True,
    metavar="FIELD=VALUE",
    help="Only rows of OUTPUTS whose FIELD is VALUE; repeatable.",
)
@click.option(
    "--limit", type=click.IntRange(1), help="Only this many problems of the benchmark, from the first on."
)
@click.option(
    "--first-index", "first", type=click.Choice(["0", "1"]),
    help="How OUTPUTS numbers the first problem, if the file does not show it.",
)  # fmt: skip
@click.option(
    "--runs", "root", type=click.Path(path_type=Path), default=Path("runs"), show_default=True,
    help="Folder for new evaluations.",
)  # fmt: skip
def command(run: Path | None, outputs: Path | None, **options: Any) -> int:
    """Judge the answers of evaluation RUN again; nothing is generated, the first verdicts are kept.

    With --import, a row of OUTPUTS has `response` (or `text`, `prediction`, `responses`) and says which
    problem it answers by `task`, `id` or `problem`; `sample`, `finish` (stop, length) and `tokens` are
    optional. Exit code 1 if a score is refused, 3 if nearly all samples of a benchmark (90 %) have no answer
    for one reason.
    """
    if (run is None) == (outputs is None):
        raise click.UsageError("give the folder of an evaluation, or --import OUTPUTS")
    if outputs is not None:
        return _import(outputs, **options)
    assert run is not None
    return _rescore(run, options["verifier"], options["settings"])


def _rescore(run: Path, verifier: str | None, settings: tuple[str, ...]) -> int:
    from harness.benchmarking.folder import open_folder
    from harness.benchmarking.rescoring import rescore
    from harness.benchmarking.run import prepare_judging
    from harness.cli.eval import engine_options
    from harness.cli.evaluations import show_evaluation

    plugins = load_plugins()
    folder = open_folder(run)
    prepared = prepare_judging(folder.asked, plugins)
    change = (verifier, engine_options(settings))
    outcome = rescore(folder, prepared, change, lambda line: click.echo(line, err=True))
    code = show_evaluation(folder)
    return 1 if outcome.refused else code


def _import(
    outputs: Path, *, benchmark: str | None, model: str, profile: str, overrides: tuple[str, ...],
    samples: int | None, limit: int | None, where: tuple[str, ...], others: bool, root: Path,
    first: str | None,
    verifier: str | None, settings: tuple[str, ...],
) -> int:  # fmt: skip
    from harness.benchmarking.importing import import_outputs
    from harness.cli.evaluations import show_evaluation

    if benchmark is None:
        raise click.UsageError("--import needs --benchmark")
    if verifier is not None or settings:
        raise click.UsageError("imported answers are judged by the profile; judge them again afterwards")
    plugins = load_plugins()
    folder, outcome = import_outputs(
        outputs, benchmark, plugins, root, model=model, profile=profile, overrides=overrides,
        samples=samples, limit=limit, where=dict(_pair(w) for w in where), others=others,
        first=None if first is None else int(first),
        say=lambda line: click.echo(line, err=True),
    )  # fmt: skip
    code = show_evaluation(folder)
    return 1 if outcome.refused else code


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise click.UsageError(f"--where {text}: FIELD=VALUE")
    return name, value
