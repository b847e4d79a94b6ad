"""Every field explains itself: in the JSON schema, in `harness plugins show` and on the page recipe.md."""

from __future__ import annotations

import datetime
import re
import textwrap
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field

from harness.benchmarking.profile import Profile
from harness.cli import main
from harness.contract.kinds import kind
from harness.planning.costs import Rates
from harness.plugging import plugins
from harness.plugging.registry import DISTRIBUTION, Registration, Registry
from harness.recipe import Model, Recipe, Use
from harness.recipe.describe import Described, described
from harness.recipe.schema import recipe_schema
from harness.recipe.stage import Count, Plugin

PLUGIN = '''
from pydantic import BaseModel, Field
from harness import hookimpl
from harness.recipe import Model

class Inner(BaseModel):
    depth: int = Field(default=1, ge=1, lt=9, description="Levels to look down.")

class Foreign(BaseModel):
    share: float = Field(ge=0, le=1, description="Share of groups to keep.")
    inner: Inner = Inner()

class Own(Model):
    patience: int = 3
    """Steps to wait."""

@hookimpl
def register_gates(register):
    register("foreign", "harness_plugin:Foreign", options="harness_plugin:Foreign")
    register("own", "harness_plugin:Own", options="harness_plugin:Own")
'''


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.delenv("HARNESS_PLUGINS", raising=False)


def first_party() -> list[Registration]:
    ours = [each for each in plugins.load().registry.all() if each.distribution == DISTRIBUTION]
    return [each for each in ours if each.options and not each.missing()]


def by_path(model: type[BaseModel]) -> Mapping[str, Described]:
    return {field.path: field for field in described(model)}


def faults(fields: Iterator[Described]) -> list[str]:
    """Fields whose words are missing or no sentences."""
    return [field.path for field in fields if not re.fullmatch(r"(?!Of )[A-Z0-9`v].*\.", field.words)]


# What must be described ------------------------------------------------------------------------------


@pytest.mark.parametrize("model", [Recipe, Profile, Rates], ids=lambda model: model.__name__)
def test_every_field_of_our_own_files_is_described(model: type[BaseModel]) -> None:
    assert faults(described(model)) == []


def test_every_option_of_every_first_party_plugin_is_described() -> None:
    ours = first_party()
    assert len(ours) > 30
    for each in ours:
        model = each.options_model()
        assert model is not None
        assert faults(described(model)) == [], each.options


def test_every_property_of_the_printed_schema_has_a_description() -> None:
    registry = Registry()
    registry.commit(r for r in plugins.load().registry.all() if r.distribution == DISTRIBUTION)
    schema = recipe_schema(registry)
    properties = list(_properties(schema, ""))
    assert len(properties) > 300
    assert [path for path, part in properties if not _description(part, schema["$defs"])] == []


def _description(part: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    """A property's own words, else those of the table that it is (pydantic does not say the same twice)."""
    table = definitions.get(part.get("$ref", "").removeprefix("#/$defs/"), {})
    words: str = part.get("description") or table.get("description", "")
    return words


def _properties(node: Any, path: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every property of every object of a JSON schema, with its path."""
    if isinstance(node, dict):
        named = node.get("properties", {})
        yield from ((f"{path}/{name}", schema) for name, schema in named.items())
        for key, value in node.items():
            yield from _properties(value, f"{path}/{key}")
    elif isinstance(node, list):
        for value in node:
            yield from _properties(value, path)


# Where it arrives ------------------------------------------------------------------------------------


def test_show_prints_words_bounds_and_defaults(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plugins", "show", "curricula"]) == 0
    out = capsys.readouterr().out
    assert "    option plateau_errors: number, at least 0; default 1.0\n        The pass rate has" in out
    assert 'option order: "together" or "easy-first"; default "together"' in out
    assert max(map(len, out.splitlines())) <= 110


def test_show_prints_the_fields_of_nested_tables(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plugins", "show", "tasks"]) == 0
    out = capsys.readouterr().out
    assert "option path: string; required" in out
    assert 'option fields.problem: string; default "problem"\n        Field with the' in out


def test_words_of_third_parties_are_shown_however_they_wrote_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "harness_plugin.py").write_text(PLUGIN)
    assert main(["plugins", "show", "--recipe", str(tmp_path / "r.toml"), "local/harness_plugin"]) == 0
    shown = textwrap.dedent(
        """\
            option share: number, from 0 to 1; required
                Share of groups to keep.
            option inner: table
            option inner.depth: integer, at least 1 and below 9; default 1
                Levels to look down.
        """
    )
    out = capsys.readouterr().out
    assert textwrap.indent(shown, "    ") in out
    assert "    option patience: integer; default 3\n        Steps to wait.\n" in out


def test_a_schema_describes_the_options_of_a_plugin_that_an_option_names() -> None:
    schema = recipe_schema(plugins.load().registry)
    code = schema["properties"]["verifiers"]["properties"]["code"]
    assert code["properties"]["sandbox"]["$ref"] == "#/$defs/sandboxes"
    (local,) = (
        t for t in schema["$defs"]["sandboxes"]["anyOf"][1:] if t["title"] == "sandboxes unsafe-local"
    )
    assert "with everything that you may do" in local["properties"]["i_know_what_i_do"]["description"]


# How types, bounds and defaults are said -------------------------------------------------------------


class Inner(Model):
    depth: Count = 1


class Everything(BaseModel):
    model_config = ConfigDict(arbitrary_types_allowed=True)

    plain: str
    flag: bool = False
    word: Literal["a"] = "a"
    words: Literal["a", "b", "c"] = "b"
    some: Annotated[tuple[int, ...], Field(min_length=1)] = (1, 2)
    many: tuple[int, ...] = tuple(range(1, 41))
    pair: tuple[float, Annotated[float, Field(gt=0)]] = (0.5, 1e-6)
    either: Count | Literal["all"] | None = None
    name: Annotated[str, Field(min_length=1, max_length=9, pattern="^x")] = "x"
    table: dict[str, Annotated[int, Field(le=9)]] = Field(default_factory=lambda: {"a b": 1})
    inner: Inner = Inner()
    inners: tuple[Inner, ...] = ()
    by_name: dict[str, Inner] = Field(default_factory=dict)
    maybe: Inner | None = None
    plugin: Annotated[Plugin, kind("gates")] = Use(name="g")
    plugins: Annotated[tuple[Plugin, ...], kind("gates")] = ()
    full: Plugin = Use.model_validate({"name": "g", "n": 2})
    day: datetime.date = datetime.date(2026, 1, 2)
    renamed: int = Field(default=0, alias="re-named")
    call: Callable[[], int] | None = None
    again: Everything | None = None


@pytest.mark.parametrize(
    ("path", "type", "default"),
    [
        ("plain", "string", ""),
        ("flag", "true or false", "false"),
        ("word", '"a"', '"a"'),
        ("words", '"a", "b" or "c"', '"b"'),
        ("some", "array of integer, at least 1", "[1, 2]"),
        ("many", "array of integer", "[1, 2, 3, ..., 40]"),
        ("pair", "array of 2: number; number, above 0", "[0.5, 1e-06]"),
        ("either", 'integer, above 0 or "all"', "not set"),
        ("name", "string, matching `^x`, not empty, at most 9 characters", '"x"'),
        ("table", "table of integer, at most 9", '{"a b" = 1}'),
        ("inner", "table", ""),
        ("inner.depth", "integer, above 0", "1"),
        ("inners", "array of table", "[]"),
        ("inners[].depth", "integer, above 0", "1"),
        ("by_name", "table of table", "{}"),
        ("by_name.NAME.depth", "integer, above 0", "1"),
        ("maybe", "table", "not set"),
        ("maybe.depth", "integer, above 0", "1"),
        ("plugin", "plugin of kind gates", '"g"'),
        ("plugins", "plugins of kind gates", "[]"),
        ("full", "plugin", '{name = "g", n = 2}'),
        ("day", "string, a date", '"2026-01-02"'),
        ("re-named", "integer", "0"),
        ("call", "any value", "not set"),
        ("again", "table", "not set"),
    ],
)
def test_a_field_says_its_type_bounds_and_default(path: str, type: str, default: str) -> None:
    field = by_path(Everything)[path]
    assert (field.type, field.default, field.required) == (type, default, path == "plain")


def test_a_table_within_itself_is_listed_once() -> None:
    assert not [path for path in by_path(Everything) if path.startswith("again.")]


def test_words_are_one_paragraph_without_line_breaks() -> None:
    assert "\n" not in "".join(field.words for field in described(Recipe))
