"""The recipe's JSON schema, with each installed plugin's own options under its name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel

from harness.contract.kinds import KIND_KEY
from harness.plugging.registry import OWN_NAME, Registration, Registry
from harness.recipe.describe import schema_of
from harness.recipe.models import Recipe
from harness.recipe.stage import Use
from harness.recipe.uses import BUILT_IN, KIND_OF_FIELD

_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


def recipe_schema(registry: Registry) -> dict[str, Any]:
    """JSON schema (2020-12) of a recipe under the plugins of `registry`.

    A plugin field accepts a bare name, or a table with `name` and that plugin's options; one that has a
    default accepts that plugin's options alone, too. A plugin whose extra is not installed accepts any
    options, since its model cannot be imported.
    """
    schema = Recipe.model_json_schema()
    definitions: dict[str, Any] = schema["$defs"]
    definitions.pop("Use", None)
    for (model, name), kind in KIND_OF_FIELD.items():
        table = schema if model is Recipe else definitions[model.__name__]
        table["properties"][name][KIND_KEY] = kind
        default = model.model_fields[name].default
        if isinstance(default, Use):
            _accept_options_alone(table["properties"][name], kind, default, registry, definitions)
    schema["properties"]["verifiers"]["properties"] = {
        each.full_name: _options(each, definitions) for each in registry.all("verifiers")
    }
    kinds: dict[str, Any] = {}
    while named := _link_marked([schema, kinds]) - set(kinds):
        kinds |= {kind: _of_kind(kind, registry, definitions) for kind in sorted(named)}
    definitions |= {kind: kinds[kind] for kind in sorted(kinds)}
    return {"$schema": _DIALECT, **schema}


def _link_marked(node: Any) -> set[str]:
    """Redirect every option that is marked with a kind; returns those kinds."""
    kinds: set[str] = set()
    if isinstance(node, dict):
        if kind := node.pop(KIND_KEY, None):
            _point_at(node, kind)
            kinds.add(kind)
        node = list(node.values())
    if isinstance(node, list):
        kinds.update(*map(_link_marked, node))
    return kinds


def _point_at(node: Any, kind: str) -> None:
    """Redirect the references to a plain plugin within a field's schema to a kind's definition."""
    if isinstance(node, dict):
        if re.search(r"[/:]Use$", node.get("$ref", "")):
            node["$ref"] = f"#/$defs/{kind}"
        for value in node.values():
            _point_at(value, kind)
    elif isinstance(node, list):
        for value in node:
            _point_at(value, kind)


def _accept_options_alone(
    field: dict[str, Any], kind: str, default: Use, registry: Registry, definitions: dict[str, Any]
) -> None:
    """Let a field take its default's options without a name, if that plugin is there."""
    for registration in registry.all(kind):
        if registration.full_name == default.name:
            table = _table(registration, definitions)
            options = table | {"required": [name for name in table["required"] if name != OWN_NAME]}
            field["anyOf"] = [{"$ref": field.pop("$ref")}, options]


def _of_kind(kind: str, registry: Registry, definitions: dict[str, Any]) -> dict[str, Any]:
    registered = registry.all(kind)
    names = sorted([r.full_name for r in registered] + [name for k, name in BUILT_IN if k == kind])
    tables = [_table(registration, definitions) for registration in registered]
    # A kind nobody offers accepts nothing: an empty enum is invalid JSON schema, `not {}` is not.
    return {"anyOf": [{"type": "string", "enum": names}, *tables]} if names else {"not": {}}


def _table(registration: Registration, definitions: dict[str, Any]) -> dict[str, Any]:
    """What a recipe writes in a plugin's place: its name and its options."""
    table = _options(registration, definitions)
    name = {"const": registration.full_name, "description": "Name of the plugin."}
    return table | {
        "properties": {"name": name} | table["properties"],
        "required": ["name", *table["required"]],
    }


def _options(registration: Registration, definitions: dict[str, Any]) -> dict[str, Any]:
    """A table with one plugin's options."""
    table: dict[str, Any] = {
        "type": "object",
        "title": f"{registration.kind} {registration.full_name}",
        "properties": {},
        "required": [],
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
    table["properties"] |= options["properties"]
    table["required"] += options.get("required", [])
    table["additionalProperties"] = options.get("additionalProperties", True)
    return table


def _schema_of(model: type[BaseModel], owner: str, definitions: dict[str, Any]) -> Mapping[str, Any]:
    """A plugin's options schema; its own definitions move to names that no other plugin uses."""
    schema = schema_of(model, f"#/$defs/{_escaped(owner)}:{{model}}")
    for name, definition in schema.pop("$defs").items():
        definitions[f"{owner}:{name}"] = definition
    return schema


def _escaped(text: str) -> str:
    """As a part of a JSON pointer (RFC 6901)."""
    return text.replace("~", "~0").replace("/", "~1")
