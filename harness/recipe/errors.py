"""pydantic's findings in the harness's words: where, what was seen, what was allowed, near matches."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from harness.contract.errors import RecipeError, near
from harness.recipe.references import spelled_out

M = TypeVar("M", bound=BaseModel)


def validated(model: type[M], values: Mapping[str, Any], *, where: str) -> M:
    """An instance of `model`, plugins with options alone being those of its defaults; raises one RecipeError
    that lists every fault."""
    try:
        return model.model_validate(spelled_out(model, values))
    except ValidationError as error:
        raise RecipeError("\n".join(_lines(error, model)), where=where) from None


def refuse_options(options: Mapping[str, Any], *, where: str) -> None:
    """Raise for options given to a plugin that takes none."""
    raise RecipeError(f"takes no options, got {', '.join(map(repr, options))}", where=where)


def _lines(error: ValidationError, model: type[BaseModel]) -> Iterable[str]:
    for fault in error.errors(include_url=False):
        path = ".".join(str(part) for part in fault["loc"]) or "(top)"
        if fault["type"] == "extra_forbidden":
            allowed = _fields_at(model, fault["loc"][:-1])
            yield f"{path}: no such field; {near(str(fault['loc'][-1]), allowed)}"
        elif fault["type"] == "missing":
            yield f"{path}: is missing"
        elif fault["type"] == "value_error":
            yield f"{path}: {fault['ctx']['error']}" if fault["loc"] else str(fault["ctx"]["error"])
        else:
            yield f"{path}: {fault['msg']}, got {fault['input']!r}"


def _fields_at(model: type[BaseModel], path: tuple[str | int, ...]) -> list[str]:
    """Field names of the table that a location of the error points into."""
    here: type[BaseModel] | None = model
    for part in path:
        if isinstance(part, int):
            continue
        info = here.model_fields.get(part) if here else None
        here = _model_in(info.annotation) if info else None
    return list(here.model_fields) if here else []


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if typing.get_origin(annotation) is not None or isinstance(annotation, types.UnionType):
        for part in typing.get_args(annotation):
            model = _model_in(part)
            if model is not None:
                return model
    return None
