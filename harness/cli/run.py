"""`harness run`: a recipe, from its first measurement to its report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli.context import blocked, load_plugins, resumable
from harness.contract.errors import TrainingError, counted

if TYPE_CHECKING:
    from harness.contract.protocols import Reported


@click.command()
@click.argument("recipe", type=click.Path(path_type=Path), required=False)
@click.option("--set", "overrides", multiple=True, metavar="PATH=VALUE", help="Override a field; repeatable.")
@click.option("--arm", "arms", multiple=True, metavar="NAME", help="Run only this arm; repeatable.")
@click.option(
    "--resume", type=click.Path(path_type=Path), metavar="FOLDER", help="Continue the run in this folder."
)
@click.option(
    "--runs", "root", type=click.Path(path_type=Path), default=Path("runs"), show_default=True,
    help="Folder for new runs.",
)  # fmt: skip
@click.option(
    "--jobs",
    type=click.IntRange(1),
    help="Runs side by side; if not given, as many as the launcher says (local: cores).",
)
def command(
    recipe: Path | None,
    overrides: tuple[str, ...],
    arms: tuple[str, ...],
    resume: Path | None,
    root: Path,
    jobs: int | None,
) -> None:
    """Run a recipe: measure difficulty, train in stages, evaluate, report.

    Everything is recorded as it is done; --resume continues an interrupted run.
    """
    from harness.cli.progress import watching
    from harness.planning.plan import make_plans
    from harness.recipe import load_recipe
    from harness.running import study as studies
    from harness.running.launching import launcher
    from harness.running.preflight import preflight_all

    if (recipe is None) == (resume is None):
        raise click.UsageError("give a recipe, or --resume FOLDER")
    if resume is not None:
        if overrides or arms:
            raise click.UsageError("--resume goes on with the run as it was: no --set, no --arm")
        study = studies.open_study(resume)
        plugins = load_plugins(study.recipe_path)
        with studies.as_it_was(study):
            file = load_recipe(study.recipe_path, study.overrides)
            plans = make_plans(file, plugins, arms={arm for arm, _ in study.runs})
        start = launcher(plans[0])
    else:
        assert recipe is not None
        plugins = load_plugins(recipe)
        file = load_recipe(recipe, overrides)
        plans = make_plans(file, plugins, arms=arms)
        preflight_all(plans, root)
        start = launcher(plans[0])
        study = studies.create(file, plans, root, overrides, blocked())
    width = min(len(study.runs), jobs or start.width or len(study.runs))
    with resumable("run", study.folder), watching(study, plans) as watch:
        outcome = studies.run_all(study, start, jobs=width, watch=watch)
    for child in outcome.failed:
        click.echo(f"\n{child.info.arm}, seed {child.info.seed} failed:\n{child.message}", err=True)
    if outcome.failed:
        folder = study.folder
        raise TrainingError(
            f"{len(outcome.failed)} of {counted(len(outcome.children), 'run')} failed",
            where=str(folder),
            hint=f"if the cause lies outside the recipe, remove it, then: harness run --resume {folder}; "
            f"a changed recipe is a new run (as it was: {folder / studies.RECIPE_COPY})",
        )
    with resumable("run", study.folder):
        reported = studies.report(study, plans[0])
    click.echo()
    show_reported(reported)


def show_reported(reported: Reported) -> None:
    """What reporters say, and which files they wrote."""
    for line in reported.lines:
        click.echo(line)
    for path in reported.files:
        click.echo(f"wrote {path}")
