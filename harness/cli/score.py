"""`harness score`: judge recorded answers again, or take another tool's answers in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from harness.cli.context import load_plugins


@click.command()
@click.argument("run", type=click.Path(path_type=Path), required=False)
@click.option("--verifier", help="Judge with this verifier instead of the profile's.")
@click.option("--set", "settings", multiple=True, metavar="OPTION=VALUE", help="An option of the verifier.")
@click.option(
    "--import",
    "outputs",
    type=click.Path(path_type=Path),
    metavar="OUTPUTS",
    help="Take another tool's answers (JSON lines, .gz too) into a new evaluation.",
)
@click.option("-b", "--benchmark", help="The benchmark that OUTPUTS answers.")
@click.option("--model", default="", help="Name of the model that wrote OUTPUTS. Default: the file's name.")
@click.option("--profile", default="r1-standard", show_default=True, help="The profile that judges OUTPUTS.")
@click.option(
    "--override", "overrides", multiple=True, metavar="PATH=VALUE", help="Change a field of the profile."
)
@click.option("--skip-others", "others", is_flag=True, help="Leave out rows of other problems.")
@click.option("--samples", type=click.IntRange(1), help="Samples a problem in OUTPUTS; counted if not given.")
@click.option("--where", "where", multiple=True, metavar="FIELD=VALUE", help="Only such rows of OUTPUTS.")
@click.option("--limit", type=click.IntRange(1), help="The first problems of the benchmark only.")
@click.option(
    "--runs", "root", type=click.Path(path_type=Path), default=Path("runs"), show_default=True,
    help="Folder for new evaluations.",
)  # fmt: skip
def command(run: Path | None, outputs: Path | None, **options: Any) -> int:
    """Judge the answers of evaluation RUN again; nothing is generated, the first verdicts are kept.

    With --import, a row of OUTPUTS has `response` (or `text`, `prediction`, `responses`) and says which
    problem it answers by `task`, `id` or `problem`; `sample`, `finish` (stop, length) and `tokens` are
    optional.
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
    show_evaluation(folder)
    return 1 if outcome.refused else 0


def _import(
    outputs: Path, *, benchmark: str | None, model: str, profile: str, overrides: tuple[str, ...],
    samples: int | None, limit: int | None, where: tuple[str, ...], others: bool, root: Path,
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
        say=lambda line: click.echo(line, err=True),
    )  # fmt: skip
    show_evaluation(folder)
    return 1 if outcome.refused else 0


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise click.UsageError(f"--where {text}: FIELD=VALUE")
    return name, value
