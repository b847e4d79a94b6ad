"""`harness eval`: a model on benchmarks, under a profile."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli.completing import names_of
from harness.cli.context import blocked, load_plugins, resumable
from harness.contract.errors import HarnessError, LedgerError, RecipeError

if TYPE_CHECKING:
    from harness.benchmarking.folder import Asked, EvaluationFolder
    from harness.plugging.plugins import Plugins


@click.command()
@click.argument("model", required=False)
@click.option(
    "-b",
    "--benchmark",
    "benchmarks",
    multiple=True,
    shell_complete=names_of("benchmarks"),
    metavar="NAMES",
    help="Benchmarks, comma-separated; repeatable. NAME@PART asks only a part of a benchmark; FILE.jsonl or "
    "FILE.toml is a benchmark of your own.",
)
@click.option(
    "--profile", default="r1-standard", show_default=True, shell_complete=names_of("profiles"),
    help="A profile's name, or a TOML file.",
)  # fmt: skip
@click.option(
    "--override",
    "overrides",
    multiple=True,
    metavar="PATH=VALUE",
    help="Change a field of the profile, which changes its hash; repeatable.",
)
@click.option(
    "--engine", default="transformers", show_default=True, shell_complete=names_of("engines"),
    help="The engine that generates.",
)  # fmt: skip
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="OPTION=VALUE",
    help="Set an option of the engine; repeatable.",
)
@click.option("--loader", help="Loader that opens MODEL: folder (default), gguf or packaged.")
@click.option(
    "--samples", type=click.IntRange(1), help="Samples per problem, instead of the profile's number."
)
@click.option(
    "--limit", type=click.IntRange(1), help="Only this many problems of each benchmark, from the first on."
)
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the random numbers.")
@click.option(
    "--source", type=click.Choice(["auto", "local", "hub"]), help="Where the benchmarks' rows are read from."
)
@click.option(
    "--adaptive",
    metavar="ESTIMATOR",
    shell_complete=names_of("difficulty_estimators"),
    help="Ask only the problems that this difficulty estimator picks, until the estimator knows enough. The "
    "result is an ability and no score.",
)
@click.option(
    "--adaptive-set", "adaptive_settings", multiple=True, metavar="OPTION=VALUE",
    help="Set an option of the estimator; repeatable.",
)  # fmt: skip
@click.option("--token-ids", is_flag=True, help="Keep token ids in the ledger.")
@click.option(
    "--resume",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Continue the evaluation in this folder.",
)
@click.option(
    "--suite",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Run the models, profiles and benchmarks of this TOML file, or go on with them.",
)
@click.option("--dry-run", is_flag=True, help="Say what would be generated, and generate nothing.")
@click.option(
    "--runs", "root", type=click.Path(path_type=Path), default=Path("runs"), show_default=True,
    help="Folder for new evaluations.",
)  # fmt: skip
def command(
    model: str | None,
    resume: Path | None,
    samples: int | None,
    root: Path,
    suite: Path | None,
    dry_run: bool,
    **options: Any,
) -> int:
    """Evaluate MODEL on benchmarks: generate, judge, record, score.

    MODEL is a folder or an id of the Hub; with --loader, what that loader takes; with --engine openai, the
    name under which the servers serve it. Everything is recorded as it is done. `--resume FOLDER` asks only
    for what is missing; with `--samples 64` it adds to the samples there are.

    `--suite FILE` evaluates models x profiles x benchmarks, each in a process of its own; the same
    command again does what is missing.

    With `--adaptive` the problems are picked one round after the other, by what is known from the earlier
    ones. Such an evaluation ends with an ability and the rate expected over all problems. It has no score,
    takes no part in comparisons, and stands on no board.

    Exit code 1 if a score is refused, 3 if nearly all samples of a benchmark (90 %) have no answer for
    one reason, 6 if a suite stopped at its cap.
    """
    from harness.benchmarking.folder import create, open_folder
    from harness.benchmarking.lines import ORIGINAL
    from harness.benchmarking.run import prepare, run
    from harness.cli.evaluations import show_evaluation

    if suite is not None:
        from harness.cli.suite import run_suite

        for name in _given():
            if name not in ("suite", "dry_run", "root"):
                raise click.UsageError("--suite: the file says what is asked")
        return run_suite(suite, root, dry=dry_run)
    plugins = load_plugins()
    if (model is None) == (resume is None):
        raise click.UsageError("give a model, --resume FOLDER, or --suite FILE")
    if resume is not None:
        for name in _given():
            if name not in ("resume", "samples"):
                raise click.UsageError("--resume goes on with what was asked; only --samples may grow")
        folder = _widened(open_folder(resume), samples)
        prepared = prepare(folder.asked, plugins)
    else:
        assert model is not None
        asked = _asked(plugins, model, samples, options)
        if dry_run:
            return _show_dry_run(asked, plugins)
        prepared = prepare(asked, plugins)
        folder = create(asked, root)
    click.echo(f"evaluation {folder.folder}", err=True)
    try:
        with resumable("eval", folder.folder):
            outcome = run(folder, prepared, say=lambda line: click.echo(line, err=True))
    except HarnessError:
        click.echo(f"  go on with: harness eval --resume {folder.folder}", err=True)
        raise
    code = show_evaluation(folder, ORIGINAL)
    if outcome.refused:
        click.echo(f"  go on with: harness eval --resume {folder.folder}", err=True)
    return 1 if outcome.refused else code


def _given() -> list[str]:
    """Names of the parameters that the command line gives."""
    ctx = click.get_current_context()
    return [p for p in ctx.params if ctx.get_parameter_source(p) == click.core.ParameterSource.COMMANDLINE]


def _show_dry_run(asked: Asked, plugins: Plugins) -> int:
    from harness.benchmarking.expected import expected
    from harness.benchmarking.run import prepare_judging
    from harness.cli.suite import show_expected

    wanted = expected(prepare_judging(asked, plugins))
    show_expected([(f"{asked.model}, {asked.profile['name']}", None, one) for one in wanted])
    if asked.adaptive:
        click.echo("at most: --adaptive asks what it needs of them")
    return 0


def _asked(plugins: Plugins, model: str, samples: int | None, options: dict[str, Any]) -> Asked:
    from harness.benchmarking.asking import loader_of, named
    from harness.benchmarking.folder import Asked, slug
    from harness.benchmarking.problems import FILE, asked_benchmarks, families
    from harness.benchmarking.profile import load_profile
    from harness.benchmarking.run import build_context
    from harness.contract.capabilities import EngineCapabilities

    benchmarks = asked_benchmarks(options["benchmarks"], plugins)
    if not benchmarks:
        raise click.UsageError("name a benchmark: -b math500")
    of_family = families(benchmarks, plugins)
    engine = plugins.registry.find("engines", options["engine"], where="--engine")
    if options["source"] is not None:
        if own := next((given[FILE] for given in benchmarks.values() if FILE in given), None):
            raise click.UsageError(f"--source: {own} says itself where its rows are; leave --source out")
        benchmarks = {name: {"source": options["source"]} for name in benchmarks}
    settings = named(model, engine_options(options["settings"]), engine)
    able = engine.able(EngineCapabilities)
    if able.served and options["loader"]:
        raise click.UsageError("--loader: the servers hold the model, so that nothing is loaded here")
    asked = Asked(
        name="", model=model, benchmarks=benchmarks, families=of_family,
        profile={},
        engine={"name": options["engine"], **settings},
        loader=loader_of(model, options["loader"], able.weights and not able.served),
        samples=samples, limit=options["limit"], seed=options["seed"], token_ids=options["token_ids"],
        adaptive=_adaptive(options["adaptive"], options["adaptive_settings"]),
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


def _adaptive(name: str | None, settings: tuple[str, ...]) -> dict[str, Any]:
    if name is None:
        if settings:
            raise click.UsageError(
                "--adaptive-set without --adaptive: name the estimator that it is an option of"
            )
        return {}
    return {"name": name, **engine_options(settings)}


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
    asked = folder.asked
    now = max(asked.samples or profile.samples_of(name, asked.family(name)) for name in asked.benchmarks)
    if samples < now:
        raise RecipeError(
            f"{now} samples per problem were asked for already", where="--samples", allowed=f"{now} or more"
        )
    return folder.ask(replace(folder.asked, samples=samples))
