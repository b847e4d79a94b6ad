"""Every place of a recipe that names a plugin, with the kind that belongs there."""

from __future__ import annotations

import typing
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from harness.contract.kinds import Kind
from harness.recipe.fields import LabelsMark
from harness.recipe.models import DifficultyOptions, Heldout, ModelOptions, Recipe, Report, Tasks
from harness.recipe.stage import LossOptions, RolloutOptions, Stage, Use

#: Kind of plugin that each plugin field of each table wants.
KIND_OF_FIELD: Final[dict[tuple[type[BaseModel], str], str]] = {
    (ModelOptions, "loader"): "models",
    (Tasks, "train"): "task_sources",
    (Tasks, "filters"): "task_filters",
    (Heldout, "tasks"): "task_sources",
    (DifficultyOptions, "estimator"): "difficulty_estimators",
    (Report, "reporters"): "reporters",
    (Report, "trackers"): "trackers",
    (Recipe, "verifier"): "verifiers",
    (Recipe, "engine"): "engines",
    (Recipe, "trainer"): "trainers",
    (Recipe, "launcher"): "launchers",
    (Stage, "curriculum"): "curricula",
    (Stage, "gates"): "gates",
    (Stage, "reward"): "rewards",
    (Stage, "reward_metrics"): "rewards",
    (Stage, "shapers"): "shapers",
    (LossOptions, "terms"): "losses",
    (RolloutOptions, "engine"): "engines",
}

#: Names with a meaning of their own that no plugin registers: (kind, name).
BUILT_IN: Final = frozenset({("engines", "trainer"), ("launchers", "local")})


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
    """The same for the options of one plugin, at any depth; their fields say the kind themselves
    (`Annotated[Plugin, kind("sandboxes")]`)."""
    for name, field in type(options).model_fields.items():
        yield from _inner(getattr(options, name), kind_of(field), f"{path}.{name}")


def _inner(value: Any, kind: str | None, path: str) -> Iterator[tuple[str, Use, str]]:
    if isinstance(value, Use):
        if kind is not None:
            yield kind, value, path
    elif isinstance(value, BaseModel):
        yield from inner_uses(value, path)
    elif isinstance(value, Mapping):
        for key, entry in value.items():
            yield from _inner(entry, kind, f"{path}.{key}")
    elif isinstance(value, Sequence) and not isinstance(value, str | bytes):
        for i, entry in enumerate(value):
            yield from _inner(entry, kind, f"{path}.{i}")


def kind_of(field: FieldInfo) -> str | None:
    """The kind of plugin that an option names, as it is marked: the option itself or what it is made of."""
    marks = [*field.metadata, *(mark for part in _parts(field.annotation) for mark in _marks(part))]
    return next((mark.name for mark in marks if isinstance(mark, Kind)), None)


def label_names(options: BaseModel, path: str = "") -> Iterator[tuple[LabelsMark, str, str]]:
    """Yield (mark, name, field path) for each model whose labels options of a plugin name, at any depth."""
    for name, field in type(options).model_fields.items():
        value, where = getattr(options, name), f"{path}.{name}"
        mark = next((mark for mark in field.metadata if isinstance(mark, LabelsMark)), None)
        if isinstance(value, BaseModel) and not isinstance(value, Use):
            yield from label_names(value, where)
        elif mark is not None and value:
            yield mark, value, where


def without_kind(model: type[BaseModel]) -> list[str]:
    """Options of a plugin that name other plugins and do not say of which kind, at any depth: nobody looks
    for those before they are built."""
    return list(_without_kind(model, "", frozenset()))


def _without_kind(model: type[BaseModel], path: str, seen: frozenset[Any]) -> Iterator[str]:
    for name, field in model.model_fields.items():
        parts = list(_parts(field.annotation))
        if Use in parts and kind_of(field) is None:
            yield f"{path}{name}"
        for part in parts:
            inside = isinstance(part, type) and issubclass(part, BaseModel) and part is not Use
            if inside and part not in seen:
                yield from _without_kind(part, f"{path}{name}.", seen | {model, part})


def _parts(annotation: Any) -> Iterator[Any]:
    """A type, and the types that it is made of."""
    yield annotation
    for part in typing.get_args(annotation):
        yield from _parts(part)


def _marks(annotation: Any) -> Sequence[Any]:
    return typing.get_args(annotation)[1:] if typing.get_origin(annotation) is typing.Annotated else ()


def _entries(value: Any, path: str) -> Iterator[tuple[Any, str]]:
    if isinstance(value, Sequence) and not isinstance(value, str):
        for i, entry in enumerate(value):
            yield from _entries(entry, f"{path}.{i}")
    elif isinstance(value, Mapping):
        for key, entry in value.items():
            yield from _entries(entry, f"{path}.{key}")
    else:
        yield value, path
