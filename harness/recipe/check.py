"""Whether the plugins that a recipe names exist and take the options that it gives them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from harness.errors import HarnessError, PluginError, RecipeError, UnknownName
from harness.recipe.load import RecipeFile
from harness.recipe.models import Recipe
from harness.recipe.uses import BUILT_IN, inner_uses, uses
from harness.registry import Registry


def faults(file: RecipeFile, registry: Registry) -> list[str]:
    """Every fault of every arm as a message, each once; empty when the recipe fits.

    A plugin whose extra is not installed is a fault, for its options cannot be read.
    """
    found: dict[str, None] = {}
    suspicions: dict[str, None] = {}
    for _, recipe in file.arms():
        for error in _faults_of(recipe, registry):
            if isinstance(error, UnknownName) and error.hint:
                # One broken plugin makes many names unknown: its trace is shown once, at the end.
                suspicions[error.hint] = None
                error = UnknownName(error.what, where=error.where, allowed=error.allowed)
            found[str(error)] = None
    return [*found, *suspicions]


def _faults_of(recipe: Recipe, registry: Registry) -> Iterator[HarnessError]:
    wanted = [(kind, use.name, use.options, where) for kind, use, where in uses(recipe)]
    wanted += [
        ("verifiers", name, options, f"verifiers.{name}") for name, options in recipe.verifiers.items()
    ]
    for kind, name, options, where in wanted:
        yield from _faults_of_one(kind, name, options, where, registry)


def _faults_of_one(
    kind: str, name: str, options: Mapping[str, Any], where: str, registry: Registry
) -> Iterator[HarnessError]:
    """Of one plugin, and of those that its options name."""
    if (kind, name) in BUILT_IN:
        if options:
            given = ", ".join(map(repr, options))
            yield RecipeError(f"{name!r} takes no options, got {given}", where=where)
        return
    try:
        registration = registry.find(kind, name, where=where)
        missing = registration.missing()
        if missing:
            needs = f"{name!r} needs {', '.join(missing)}, which is not installed"
            yield PluginError(needs, where=where, hint=registration.install_line())
            return
        model = registration.validate(options, field_path=where)
    except HarnessError as error:
        yield error
        return
    if isinstance(model, BaseModel):
        for inner, use, place in inner_uses(model, where):
            yield from _faults_of_one(inner, use.name, use.options, place, registry)
