"""Other values for a plugin's options, to see what depends on them."""

from __future__ import annotations

import typing
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from pydantic import BaseModel, ValidationError


def other_values(model: type[BaseModel], options: Mapping[str, Any]) -> dict[str, Any]:
    """For each option of a plain type another value than it has, which the model accepts.

    Args:
        model: the plugin's options.
        options: those that are given; the others have their defaults.
    """
    given = model.model_validate(dict(options))
    others = {}
    for name, field in model.model_fields.items():
        for value in _candidates(getattr(given, name), field.annotation):
            try:
                model.model_validate({**options, name: value})
            except ValidationError:
                continue
            others[name] = value
            break
    return others


def _candidates(value: Any, annotation: Any) -> Iterator[Any]:
    if isinstance(value, bool):
        yield not value
    elif isinstance(value, int | float):
        yield from (type(value)(other) for other in (value + 1, value - 1, value * 0.5))
    elif isinstance(value, str) or value is None:
        for part in (annotation, *typing.get_args(annotation)):
            if typing.get_origin(part) is Literal:
                yield from (choice for choice in typing.get_args(part) if choice != value)
