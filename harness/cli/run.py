"""`harness run`: the main job."""

from __future__ import annotations

import os
from pathlib import Path

import click

from harness.cli.context import blocked, load_plugins, resumable
from harness.errors import TrainingError, counted


@click.command()
@click.argument("recipe", type=click.Path(path_type=Path), required=False)
@click.option("--set", "overrides", multiple=True, metavar="PATH=VALUE", help="Override a field; repeatable.")
@click.option("--arm", "arms", multiple=True, metavar="NAME", help="Run only this arm; repeatable.")
@click.option("--resume", type=click.Path(path_type=Path), metavar="FOLDER", help="Go on with this run.")
@click.option(
    "--runs", "root", type=click.Path(path_type=Path), default=Path("runs"), show_default=True,
    help="Folder for new runs.",
)  # fmt: skip
@click.option("--jobs", type=click.IntRange(1), help="Runs side by side; the number of cores if not given.")
def command(
    recipe: Path | None,
    overrides: tuple[str, ...],
    arms: tuple[str, ...],
    resume: Path | None,
    root: Path,
    jobs: int | None,
) -> None:
    """Run a recipe: measure difficulty, train in stages, evaluate, report.

    Everything is recorded as it is done; what was interrupted goes on with --resume.
    """
    from harness import study as studies
    from harness.cli.progress import watching
    from harness.plan import make_plans
    from harness.preflight import preflight_all
    from harness.recipe import load_recipe

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
    else:
        assert recipe is not None
        plugins = load_plugins(recipe)
        file = load_recipe(recipe, overrides)
        plans = make_plans(file, plugins, arms=arms)
        preflight_all(plans, root)
        study = studies.create(file, plans, root, overrides, blocked())
    width = min(len(study.runs), jobs or os.cpu_count() or 1)
    with resumable("run", study.folder), watching(study, plans[0].recipe) as watch:
        outcome = studies.run_all(study, jobs=width, watch=watch)
    for child in outcome.failed:
        click.echo(f"\n{child.info.arm}, seed {child.info.seed} failed:\n{child.message}", err=True)
    if outcome.failed:
        folder = study.folder
        raise TrainingError(
            f"{len(outcome.failed)} of {counted(len(outcome.children), 'run')} failed",
            where=str(folder),
            hint=f"where the cause lies outside the recipe, mend it, then: harness run --resume {folder}; "
            f"a changed recipe is a new run (as it was: {folder / studies.RECIPE_COPY})",
        )
    with resumable("run", study.folder):
        reported = studies.report(study, plans[0])
    click.echo()
    for line in reported.lines:
        click.echo(line)
    for path in reported.files:
        click.echo(f"wrote {path}")
