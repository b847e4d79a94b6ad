"""What each field of a model takes and means, in words: for `harness plugins show` and the page recipe.md."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic.json_schema import DEFAULT_REF_TEMPLATE, GenerateJsonSchema, JsonSchemaValue
from pydantic_core import CoreSchema, to_jsonable_python

from harness.contract.kinds import KIND_KEY
from harness.recipe.stage import Use
from harness.recipe.uses import KIND_OF_FIELD

#: Default of a field that a recipe may leave out and cannot write: TOML has no word for None.
NOT_SET: Final = "not set"
#: Entries of a default that are written out; a longer array is abridged.
MOST: Final = 10
_BARE_KEY: Final = re.compile(r"[A-Za-z0-9_-]+")


class LenientSchema(GenerateJsonSchema):
    """JSON schemas of plugins' options: a type that has no JSON schema takes any value."""

    def handle_invalid_for_json_schema(self, schema: CoreSchema, error_info: str) -> JsonSchemaValue:
        return {}


def schema_of(model: type[BaseModel], reference: str = DEFAULT_REF_TEMPLATE) -> JsonSchemaValue:
    """A model's JSON schema with `properties` on top and its other tables under `$defs`.

    Args:
        reference: form of references to `$defs`, with `{model}` for the name.
    """
    schema = model.model_json_schema(ref_template=reference, schema_generator=LenientSchema)
    definitions = schema.setdefault("$defs", {})
    if "$ref" in schema:  # a model that holds itself
        name = next(name for name in definitions if reference.format(model=name) == schema["$ref"])
        return {**definitions[name], "$defs": definitions}
    return {"properties": {}, **schema}


@dataclass(frozen=True, slots=True)
class Described:
    """One field in words."""

    #: Such as `fields.id`; `stages[].name` for each entry of an array, `labels.NAME.path` of a table.
    path: str
    #: What it takes, bounds included, such as `integer, above 0`.
    type: str
    #: Its default as TOML; `NOT_SET` for None, empty if the field is required or a table of fields.
    default: str
    required: bool
    #: Its description; empty if its author wrote none.
    words: str


def described(model: type[BaseModel], path: str = "") -> Iterator[Described]:
    """Every field of a model in order; the fields of nested tables follow their table."""
    yield from _described(model, path, ())


def _described(model: type[BaseModel], path: str, above: tuple[type[BaseModel], ...]) -> Iterator[Described]:
    schema = schema_of(model)
    definitions = schema["$defs"]
    for name, info in model.model_fields.items():
        key = next((key for key in (name, info.alias) if key in schema["properties"]), None)
        part = {} if key is None else schema["properties"][key]
        if kind := KIND_OF_FIELD.get((model, name)):
            part = {**part, KIND_KEY: kind}
        where = f"{path}{key or name}"
        yield Described(
            path=where,
            type=type_text(part, definitions),
            default=_default(info),
            required=info.is_required(),
            words=" ".join((info.description or "").split()),
        )
        for inner, below in _tables(info.annotation, where):
            if inner not in (model, *above):
                yield from _described(inner, f"{below}.", (model, *above))


def _tables(annotation: Any, where: str) -> Iterator[tuple[type[BaseModel], str]]:
    """The models within a type, each with the path of one of its tables."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        if not issubclass(annotation, Use):
            yield annotation, where
        return
    origin = getattr(annotation, "__origin__", None)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        where += ".NAME"
    elif isinstance(origin, type) and issubclass(origin, Sequence | set | frozenset):
        where += "[]"
    for part in get_args(annotation):
        yield from _tables(part, where)


def _default(info: FieldInfo) -> str:
    if info.is_required():
        return ""
    try:
        value = info.get_default(call_default_factory=True)
    except TypeError:  # a factory that wants the other fields
        return ""
    if isinstance(value, BaseModel) and not isinstance(value, Use):
        return ""
    if value is None:
        return NOT_SET
    plain = to_jsonable_python(value, fallback=repr)
    if isinstance(plain, list) and len(plain) > MOST:
        return f"[{', '.join(map(toml, plain[:3]))}, ..., {toml(plain[-1])}]"
    return toml(plain)


def toml(value: Any) -> str:
    """A plain value as TOML writes it; a plugin without options is its bare name."""
    if isinstance(value, Mapping):
        if set(value) == {"name"}:
            return toml(value["name"])
        pairs = (f"{k if _BARE_KEY.fullmatch(k) else json.dumps(k)} = {toml(v)}" for k, v in value.items())
        return f"{{{', '.join(pairs)}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(toml, value))}]"
    text: str = json.dumps(value, ensure_ascii=False)
    return text


def type_text(part: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    """What a JSON schema takes, such as `array of string, at least 1` or `number, from 0 to 1`."""
    if kind := part.get(KIND_KEY):
        several = "array" in (part.get("type"), *(one.get("type") for one in part.get("anyOf", ())))
        return f"plugins of kind {kind}" if several else f"plugin of kind {kind}"
    if "$ref" in part:
        name = str(part["$ref"]).rpartition("/")[2]
        return "plugin" if name == Use.__name__ else type_text(definitions.get(name, {}), definitions)
    if "const" in part:
        return toml(part["const"])
    if "enum" in part:
        return _either(map(toml, part["enum"]))
    for joint in ("anyOf", "oneOf"):
        if joint in part:
            options = (one for one in part[joint] if one.get("type") != "null")
            return _either(dict.fromkeys(type_text(one, definitions) for one in options))
    if len(part.get("allOf", ())) == 1:
        return type_text(part["allOf"][0], definitions)
    match part.get("type"):
        case "integer" | "number" as name:
            return f"{name}{_range(part)}"
        case "string":
            return _string(part)
        case "array":
            return _array(part, definitions)
        case "object":
            inner = part.get("additionalProperties")
            return (
                f"table of {type_text(inner, definitions)}" if isinstance(inner, dict) and inner else "table"
            )
        case "boolean":
            return "true or false"
    return "any value"


def _either(names: Iterator[str] | Mapping[str, Any]) -> str:
    *first, last = names
    return f"{', '.join(first)} or {last}" if first else last


def _range(part: Mapping[str, Any]) -> str:
    low, high = part.get("minimum"), part.get("maximum")
    if low is not None and high is not None:
        return f", from {low:g} to {high:g}"
    bounds = {
        "at least": low,
        "above": part.get("exclusiveMinimum"),
        "at most": high,
        "below": part.get("exclusiveMaximum"),
    }
    said = [f"{word} {bound:g}" for word, bound in bounds.items() if bound is not None]
    return f", {' and '.join(said)}" if said else ""


def _string(part: Mapping[str, Any]) -> str:
    said = [f"a {part['format']}"] if "format" in part else []
    if "pattern" in part:
        said.append(f"matching `{part['pattern']}`")
    if part.get("minLength"):
        said.append("not empty" if part["minLength"] == 1 else f"at least {part['minLength']} characters")
    if "maxLength" in part:
        said.append(f"at most {part['maxLength']} characters")
    return ", ".join(["string", *said])


def _array(part: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    if "prefixItems" in part:
        return f"array of {len(part['prefixItems'])}: " + "; ".join(
            type_text(one, definitions) for one in part["prefixItems"]
        )
    said = f"array of {type_text(part['items'], definitions)}" if part.get("items") else "array"
    if part.get("minItems"):
        said += f", at least {part['minItems']}"
    return f"{said}, at most {part['maxItems']}" if "maxItems" in part else said
