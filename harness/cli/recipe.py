"""`harness recipe`: check a recipe, or print its schema."""

from __future__ import annotations

import json
from pathlib import Path

import click

from harness.cli.context import load_plugins
from harness.contract.errors import RecipeError


@click.group()
def command() -> None:
    """Check a recipe, or print every field that it may have."""


@command.command("check")
@click.argument("path", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--set", "overrides", multiple=True, metavar="PATH=VALUE", help="Override a field; repeatable.")
def check(path: Path, overrides: tuple[str, ...]) -> None:
    """Check every field, plugin name, plugin option, reward and rule of a recipe, in all its arms.

    Opens no model and no data; 'harness plan' checks those too.
    """
    from harness.recipe import load_recipe
    from harness.recipe.check import faults

    file = load_recipe(path, overrides)
    wrong = faults(file, load_plugins(path).registry)
    if wrong:
        raise RecipeError("\n".join(wrong), where=str(path))
    arms = [arm.name for arm, _ in file.arms()]
    click.echo(
        f"{path}: fits ({len(arms)} arm{'s' if len(arms) > 1 else ''}: {', '.join(arms)}; {file.sha[:12]})"
    )


@command.command("schema")
@click.option(
    "--recipe",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Include the one-file plugin beside this recipe.",
)
def schema(recipe: Path | None) -> None:
    """Print the JSON schema of a recipe: every field and every installed plugin's options, described."""
    from harness.recipe.schema import recipe_schema

    click.echo(json.dumps(recipe_schema(load_plugins(recipe).registry), indent=2))
