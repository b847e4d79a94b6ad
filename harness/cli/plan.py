"""`harness plan`: what a run would do, and what would fail."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli.context import load_plugins


@click.command()
@click.argument("recipe", type=click.Path(path_type=Path))
@click.option("--set", "overrides", multiple=True, metavar="PATH=VALUE", help="Override a field; repeatable.")
@click.option("--arm", "arms", multiple=True, metavar="NAME", help="Plan only this arm; repeatable.")
@click.option(
    "--rates",
    type=click.Path(path_type=Path),
    help="Print the time and cost of each stage at the rates in this TOML file.",
)
@click.option(
    "--dry-run", is_flag=True, help="Also have the trainer's framework check the configuration of each stage."
)
@click.option(
    "--write",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="With --dry-run: keep the checked configurations in FOLDER.",
)
def command(
    recipe: Path,
    overrides: tuple[str, ...],
    arms: tuple[str, ...],
    rates: Path | None,
    dry_run: bool,
    write: Path | None,
) -> None:
    """Print what a run would do, and refuse a recipe that would fail later."""
    from harness.planning.costs import costs_of, read_rates, told
    from harness.planning.plan import make_plans
    from harness.planning.preview import preview
    from harness.recipe import load_recipe
    from harness.running.preflight import preflight_all

    plans = make_plans(load_recipe(recipe, overrides), load_plugins(recipe), arms=arms)
    preflight_all(plans, Path("runs"))
    for line in preview(plans):
        click.echo(line)
    if rates is not None:
        stated = read_rates(rates)
        for plan in plans:
            click.echo(f"\narm {plan.arm.name}, seed {plan.seed}")
            for line in told(costs_of(plan, stated), stated):
                click.echo(line)
    if dry_run:
        from harness.planning.dryrun import dry_runs

        for line in dry_runs(plans, write):
            click.echo(line)
