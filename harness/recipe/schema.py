"""The recipe's JSON schema, with each installed plugin's own options under its name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel

from harness.recipe.models import Recipe
from harness.recipe.uses import BUILT_IN, KIND_OF_FIELD
from harness.registry import Registration, Registry

_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


def recipe_schema(registry: Registry) -> dict[str, Any]:
    """JSON schema (2020-12) of a recipe under the plugins of `registry`.

    A plugin field accepts a bare name, or a table with `name` and that plugin's options. A plugin
    whose extra is not installed accepts any options, since its model cannot be imported.
    """
    schema = Recipe.model_json_schema()
    definitions: dict[str, Any] = schema["$defs"]
    definitions.pop("Use", None)
    for (model, name), kind in KIND_OF_FIELD.items():
        table = schema if model is Recipe else definitions[model.__name__]
        _point_at(table["properties"][name], f"#/$defs/{kind}")
    for kind in sorted(set(KIND_OF_FIELD.values())):
        definitions[kind] = _of_kind(kind, registry, definitions)
    return {"$schema": _DIALECT, **schema}


def _point_at(node: Any, target: str) -> None:
    """Redirect the references to a plain plugin within a field's schema; defaults become bare names."""
    if isinstance(node, dict):
        if node.get("$ref") == "#/$defs/Use":
            node["$ref"] = target
        for value in node.values():
            _point_at(value, target)
    elif isinstance(node, list):
        for value in node:
            _point_at(value, target)


def _of_kind(kind: str, registry: Registry, definitions: dict[str, Any]) -> dict[str, Any]:
    registered = registry.all(kind)
    names = sorted([r.full_name for r in registered] + [name for k, name in BUILT_IN if k == kind])
    tables = [_table(registration, definitions) for registration in registered]
    # A kind nobody offers accepts nothing: an empty enum is invalid JSON schema, `not {}` is not.
    return {"anyOf": [{"type": "string", "enum": names}, *tables]} if names else {"not": {}}


def _table(registration: Registration, definitions: dict[str, Any]) -> dict[str, Any]:
    table: dict[str, Any] = {
        "type": "object",
        "title": f"{registration.kind} {registration.full_name}",
        "properties": {"name": {"const": registration.full_name}},
        "required": ["name"],
        "additionalProperties": False,
    }
    if registration.summary:
        table["description"] = registration.summary
    if registration.missing():
        return table | {"additionalProperties": True}
    model = registration.options_model()
    if model is None:
        return table
    options = _schema_of(model, f"{registration.kind}:{registration.full_name}", definitions)
    table["properties"] |= options.get("properties", {})
    table["required"] += options.get("required", [])
    table["additionalProperties"] = options.get("additionalProperties", True)
    return table


def _schema_of(model: type[BaseModel], owner: str, definitions: dict[str, Any]) -> Mapping[str, Any]:
    """A plugin's options schema; its own definitions move to names that no other plugin uses."""
    schema = model.model_json_schema(ref_template=f"#/$defs/{_escaped(owner)}:{{model}}")
    for name, definition in schema.pop("$defs", {}).items():
        definitions[f"{owner}:{name}"] = definition
    return schema


def _escaped(text: str) -> str:
    """As a part of a JSON pointer (RFC 6901)."""
    return text.replace("~", "~0").replace("/", "~1")
