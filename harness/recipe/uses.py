"""Every place of a recipe that names a plugin, with the kind that belongs there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from pydantic import BaseModel

from harness.recipe.models import DifficultyOptions, Heldout, ModelOptions, Recipe, Report, Tasks
from harness.recipe.stage import Kind, LossOptions, Stage, Use

#: Kind of plugin that each plugin field of each table wants.
KIND_OF_FIELD: Final[dict[tuple[type[BaseModel], str], str]] = {
    (ModelOptions, "loader"): "models",
    (Tasks, "train"): "task_sources",
    (Tasks, "filters"): "task_filters",
    (Heldout, "tasks"): "task_sources",
    (DifficultyOptions, "estimator"): "difficulty_estimators",
    (Report, "reporters"): "reporters",
    (Recipe, "verifier"): "verifiers",
    (Recipe, "engine"): "engines",
    (Recipe, "trainer"): "trainers",
    (Stage, "curriculum"): "curricula",
    (Stage, "gates"): "gates",
    (Stage, "shapers"): "shapers",
    (LossOptions, "terms"): "losses",
}

#: Names with a meaning of their own that no plugin registers: (kind, name).
BUILT_IN: Final = frozenset({("engines", "trainer")})


def uses(table: BaseModel, path: str = "") -> Iterator[tuple[str, Use, str]]:
    """Yield (kind, use, field path such as `stages.0.curriculum`) for each plugin a recipe names."""
    for name in type(table).model_fields:
        kind = KIND_OF_FIELD.get((type(table), name))
        for value, where in _entries(getattr(table, name), f"{path}{name}"):
            if isinstance(value, Use):
                if kind is None:
                    raise TypeError(f"{type(table).__name__}.{name} names a plugin of no known kind")
                yield kind, value, where
            elif isinstance(value, BaseModel):
                yield from uses(value, f"{where}.")


def inner_uses(options: BaseModel, path: str) -> Iterator[tuple[str, Use, str]]:
    """The same for the options of one plugin, whose fields say the kind themselves (`Kind`)."""
    for name, field in type(options).model_fields.items():
        marks = [mark for mark in field.metadata if isinstance(mark, Kind)]
        for value, where in _entries(getattr(options, name), f"{path}.{name}"):
            if marks and isinstance(value, Use):
                yield marks[0].name, value, where


def _entries(value: Any, path: str) -> Iterator[tuple[Any, str]]:
    if isinstance(value, Sequence) and not isinstance(value, str):
        yield from ((entry, f"{path}.{i}") for i, entry in enumerate(value))
    else:
        yield value, path
