"""References to plugins in the values of a recipe, before they are validated: every one with its name."""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from harness.plugging.registry import OWN_NAME
from harness.recipe.stage import Use


def spelled_out(model: type[BaseModel], values: Mapping[str, Any]) -> dict[str, Any]:
    """`values` with each plugin field of a table as a table that has a name: a bare name becomes one, and
    options without a name are laid over the field's default. What does not fit the model stays as it is, for
    validation to name.
    """
    out = dict(values)
    for name, field in model.model_fields.items():
        if name in out:
            out[name] = _spelled_out(field.annotation, field.default, out[name])
    return out


def _spelled_out(annotation: Any, default: Any, value: Any) -> Any:
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return _spelled_out(inner[0], default, value)
    if origin in (typing.Union, types.UnionType):
        fitting = (_spelled_out(part, default, value) for part in inner)
        return next((out for out in fitting if out is not value), value)
    if annotation is Use:
        return _named(default, value)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel) and isinstance(value, Mapping):
        return spelled_out(annotation, value)
    if origin in (tuple, list) and isinstance(value, list | tuple):
        return [_spelled_out(inner[0], None, entry) for entry in value]
    if origin is dict and isinstance(value, Mapping):
        return {key: _spelled_out(inner[1], None, entry) for key, entry in value.items()}
    return value


def _named(default: Any, value: Any) -> Any:
    """A reference as a table with its name, if it says or has one."""
    if isinstance(value, str):
        return {OWN_NAME: value}
    if isinstance(value, Mapping) and OWN_NAME not in value and isinstance(default, Use):
        return {**default.model_dump(), **value}
    return value
