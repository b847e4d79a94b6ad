"""`harness eval`: a model on benchmarks, under a profile."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli.context import blocked, load_plugins, resumable
from harness.errors import HarnessError, LedgerError, RecipeError

if TYPE_CHECKING:
    from harness.benchmarking.folder import Asked, EvaluationFolder
    from harness.plugins import Plugins


@click.command()
@click.argument("model", required=False)
@click.option(
    "-b",
    "--benchmark",
    "benchmarks",
    multiple=True,
    metavar="NAMES",
    help="Benchmarks, comma-separated; repeatable. NAME@PART is a part of one.",
)
@click.option("--profile", default="r1-standard", show_default=True, help="A profile's name, or a TOML file.")
@click.option(
    "--override",
    "overrides",
    multiple=True,
    metavar="PATH=VALUE",
    help="Change a field of the profile, and thereby its hash; repeatable.",
)
@click.option("--engine", default="transformers", show_default=True, help="The engine that generates.")
@click.option("--set", "settings", multiple=True, metavar="OPTION=VALUE", help="An option of the engine.")
@click.option("--loader", help="How the model is found: folder (default), gguf, packaged.")
@click.option("--samples", type=click.IntRange(1), help="Samples a problem, instead of the profile's number.")
@click.option("--limit", type=click.IntRange(1), help="The first problems of each benchmark only.")
@click.option("--seed", type=int, default=0, show_default=True, help="Names the random stream.")
@click.option(
    "--source", type=click.Choice(["auto", "local", "hub"]), help="Where benchmarks' rows come from."
)
@click.option("--token-ids", is_flag=True, help="Keep token ids in the ledger.")
@click.option("--resume", type=click.Path(path_type=Path), metavar="FOLDER", help="Go on with an evaluation.")
@click.option(
    "--runs", "root", type=click.Path(path_type=Path), default=Path("runs"), show_default=True,
    help="Folder for new evaluations.",
)  # fmt: skip
def command(
    model: str | None,
    resume: Path | None,
    samples: int | None,
    root: Path,
    **options: Any,
) -> int:
    """Evaluate MODEL on benchmarks: generate, judge, record, score.

    Everything is recorded as it is done. `--resume FOLDER` asks only for what is missing; with
    `--samples 64` it adds to the samples there are. Exit code 1 when a score is refused.
    """
    from harness.benchmarking.folder import create, open_folder
    from harness.benchmarking.run import prepare, run
    from harness.cli.evaluations import show_evaluation

    plugins = load_plugins()
    if (model is None) == (resume is None):
        raise click.UsageError("give a model, or --resume FOLDER")
    if resume is not None:
        ctx = click.get_current_context()
        given = [
            p for p in ctx.params if ctx.get_parameter_source(p) == click.core.ParameterSource.COMMANDLINE
        ]
        for name in given:
            if name not in ("resume", "samples"):
                raise click.UsageError("--resume goes on with what was asked; only --samples may grow")
        folder = _widened(open_folder(resume), samples)
        prepared = prepare(folder.asked, plugins)
    else:
        assert model is not None
        asked = _asked(plugins, model, samples, options)
        prepared = prepare(asked, plugins)
        folder = create(asked, root)
    click.echo(f"evaluation {folder.folder}", err=True)
    try:
        with resumable("eval", folder.folder):
            outcome = run(folder, prepared, say=lambda line: click.echo(line, err=True))
    except HarnessError:
        click.echo(f"  go on with: harness eval --resume {folder.folder}", err=True)
        raise
    show_evaluation(folder)
    if outcome.refused:
        click.echo(f"  go on with: harness eval --resume {folder.folder}", err=True)
    return 1 if outcome.refused else 0


def _asked(plugins: Plugins, model: str, samples: int | None, options: dict[str, Any]) -> Asked:
    from harness.benchmarking.folder import Asked, slug
    from harness.benchmarking.problems import find_benchmark
    from harness.benchmarking.profile import load_profile
    from harness.benchmarking.run import build_context

    names = [name.strip() for part in options["benchmarks"] for name in part.split(",") if name.strip()]
    if not names:
        raise click.UsageError("name a benchmark: -b math500")
    for name in names:
        find_benchmark(name, plugins)
    engine = plugins.registry.find("engines", options["engine"], where="--engine")
    of_source = {} if options["source"] is None else {"source": options["source"]}
    asked = Asked(
        name="", model=model, benchmarks={name: dict(of_source) for name in names}, profile={},
        engine={"name": options["engine"], **engine_options(options["settings"])},
        loader=_loader(model, options["loader"], engine.capabilities.get("weights", True)),
        samples=samples, limit=options["limit"], seed=options["seed"], token_ids=options["token_ids"],
        base=str(Path.cwd()), blocked=blocked(),
    )  # fmt: skip
    context = build_context(asked, plugins)
    profile = load_profile(options["profile"], plugins, context, options["overrides"])
    from dataclasses import replace

    name = slug(Path(model).name, profile.name)
    return replace(asked, name=name, profile=profile.model_dump(mode="json"))


def engine_options(settings: tuple[str, ...]) -> dict[str, Any]:
    """`option=value` settings, values as TOML."""
    from harness.recipe.load import override_value

    values: dict[str, Any] = {}
    for setting in settings:
        values = override_value(values, setting)
    return values


def _loader(model: str, name: str | None, weights: bool) -> dict[str, Any]:
    if name is None and not weights:
        return {}
    return {"name": name or ("gguf" if model.endswith(".gguf") else "folder")}


def _widened(folder: EvaluationFolder, samples: int | None) -> EvaluationFolder:
    from dataclasses import replace

    if samples is None or samples == folder.asked.samples:
        return folder
    if not folder.asked.engine:
        raise LedgerError("its answers were imported, so there is nothing to draw more from",
                          where=str(folder.folder))  # fmt: skip
    from harness.benchmarking.profile import Profile
    from harness.recipe.errors import validated

    profile = validated(Profile, folder.asked.profile, where="profile")
    now = max(folder.asked.samples or profile.samples_of(name) for name in folder.asked.benchmarks)
    if samples < now:
        raise RecipeError(
            f"{now} samples a problem were asked for already", where="--samples", allowed=f"{now} or more"
        )
    return folder.ask(replace(folder.asked, samples=samples))
