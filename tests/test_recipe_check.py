"""`harness recipe check` and `schema`: every place that names a plugin is known, checked, described."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from harness import plugins
from harness.cli import main
from harness.recipe import Recipe, Use, load_recipe
from harness.recipe.check import faults
from harness.recipe.schema import recipe_schema
from harness.recipe.uses import KIND_OF_FIELD, uses
from harness.registry import KINDS

ROOT = Path(__file__).resolve().parent.parent
PLUGIN = """
from pydantic import BaseModel, ConfigDict
from harness import hookimpl

class Inner(BaseModel):
    depth: int = 1

class Options(BaseModel):
    model_config = ConfigDict(extra="forbid")
    share: float = 0.5
    inner: Inner = Inner()

def _offer(register, name, options=None):
    register(name, "harness_plugin:Options", options=options, summary="for a test")

@hookimpl
def register_gates(register):
    _offer(register, "choosy", "harness_plugin:Options")

@hookimpl
def register_curricula(register):
    _offer(register, "plain")
"""


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.delenv("HARNESS_PLUGINS", raising=False)


def recipe(folder: Path, stage: str, rest: str = "") -> Path:
    (folder / "harness_plugin.py").write_text(PLUGIN)
    path = folder / "r.toml"
    path.write_text(
        textwrap.dedent(
            """
            name = "r"
            model = { name = "m" }
            tasks = { train = ["arithmetic-chain"] }
            trainer = "sim"
            report = { reporters = [] }
            %s
            [[stages]]
            name = "s"
            %s
            """
        )
        % (rest, stage)
    )
    return path


def messages(path: Path, *overrides: str) -> str:
    registry = plugins.load(local=path.parent / "harness_plugin.py").registry
    return "\n".join(faults(load_recipe(path, overrides), registry))


def test_every_plugin_field_of_the_recipe_has_a_kind() -> None:
    """A new field of type Plugin that nobody gave a kind would be checked by nobody."""
    found: set[tuple[type[BaseModel], str]] = set()

    def walk(model: type[BaseModel]) -> None:
        for name, info in model.model_fields.items():
            mentioned = _classes(info.annotation)
            if Use in mentioned:
                found.add((model, name))
            for inner in mentioned - {Use, model}:
                walk(inner)

    walk(Recipe)
    assert found == set(KIND_OF_FIELD)
    assert set(KIND_OF_FIELD.values()) <= set(KINDS)


def _classes(annotation: Any) -> set[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return {annotation}
    inside = [_classes(part) for part in getattr(annotation, "__args__", ())]
    return set().union(*inside) if inside else set()


def test_uses_carry_kind_and_field_path(tmp_path: Path) -> None:
    path = recipe(tmp_path, 'gates = ["local/choosy", { name = "b", x = 1 }]\nloss = { terms = ["t"] }')
    found = {where: (kind, use.name, use.options) for kind, use, where in uses(load_recipe(path).recipe)}
    assert found["stages.0.gates.1"] == ("gates", "b", {"x": 1})
    assert found["stages.0.loss.terms.0"] == ("losses", "t", {})
    assert found["tasks.train.0"] == ("task_sources", "arithmetic-chain", {})
    assert found["engine"] == ("engines", "trainer", {})


def test_a_recipe_that_fits_has_no_faults(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = recipe(tmp_path, 'curriculum = "local/plain"\ngates = [{ name = "local/choosy", share = 0.1 }]')
    assert messages(path) == ""
    assert main(["recipe", "check", str(path)]) == 0
    assert "fits (1 arm: main;" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("stage", "message"),
    [
        ('curriculum = "unifrom"', "stages.0.curriculum: nothing of kind 'curricula' is named 'unifrom'"),
        ('curriculum = "unifrom"', "did you mean 'uniform'"),
        ('gates = [{ name = "local/choosy", shar = 1 }]', "shar: no such field; did you mean 'share'"),
        ('gates = [{ name = "local/choosy", share = "much" }]', "got 'much'"),
        ('curriculum = { name = "local/plain", x = 1 }', "takes no options, got 'x'"),
        ('gates = ["choosy"]', "'local/choosy'"),
    ],
)
def test_faults_name_field_value_and_what_was_allowed(
    tmp_path: Path, stage: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = recipe(tmp_path, stage)
    assert message in messages(path)
    assert main(["recipe", "check", str(path)]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("sandbox", "words"),
    [
        ('"doker"', "verifiers.code.sandbox: nothing of kind 'sandboxes' is named 'doker'"),
        ('{name = "docker", slot = 3}', "verifiers.code.sandbox: slot: no such field; did you mean 'slots'"),
    ],
)
def test_a_plugin_that_a_plugins_option_names_is_checked_too(
    tmp_path: Path, sandbox: str, words: str
) -> None:
    pytest.importorskip("docker", reason="needs the extra 'docker'")
    assert words in messages(recipe(tmp_path, ""), f"verifiers.code={{sandbox = {sandbox}}}")


def test_faults_of_every_arm_are_found_once(tmp_path: Path) -> None:
    arms = "".join(f'[[arms]]\nname = "{n}"\nset = {{ verifier = "gues" }}\n' for n in "ab")
    path = recipe(tmp_path, "", arms)
    assert messages(path).count("'gues'") == 1


def test_the_built_in_engine_takes_no_options(tmp_path: Path) -> None:
    found = messages(recipe(tmp_path, ""), 'engine={name = "trainer", n = 2}')
    assert "engine: 'trainer' takes no options, got 'n'" in found


def test_the_schema_holds_each_plugins_options_under_its_name(tmp_path: Path) -> None:
    path = recipe(tmp_path, "")
    schema = recipe_schema(plugins.load(local=path.parent / "harness_plugin.py").registry)
    json.dumps(schema)
    (choosy,) = (t for t in schema["$defs"]["gates"]["anyOf"][1:] if t["title"] == "gates local/choosy")
    assert choosy["properties"]["name"] == {"const": "local/choosy"}
    assert choosy["properties"]["share"]["default"] == 0.5
    assert choosy["additionalProperties"] is False
    assert "trainer" in schema["$defs"]["engines"]["anyOf"][0]["enum"]
    assert not [ref for ref in _references(schema) if not _resolves(schema, ref)]


def test_the_schema_accepts_our_recipes_and_refuses_what_the_check_refuses(tmp_path: Path) -> None:
    jsonschema = pytest.importorskip("jsonschema", reason="validating against the schema needs jsonschema")
    import tomllib

    for path in sorted((ROOT / "recipes").glob("*.toml")):
        schema = recipe_schema(plugins.load(local=plugins.local_file(path)).registry)
        jsonschema.validate(tomllib.loads(path.read_text()), schema)
    path = recipe(tmp_path, 'gates = [{ name = "local/choosy", shar = 1 }]')
    schema = recipe_schema(plugins.load(local=path.parent / "harness_plugin.py").registry)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(tomllib.loads(path.read_text()), schema)


def _references(node: Any) -> list[str]:
    if isinstance(node, dict):
        own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
        return own + [ref for value in node.values() for ref in _references(value)]
    return [ref for value in node for ref in _references(value)] if isinstance(node, list) else []


def _resolves(schema: Any, reference: str) -> bool:
    here = schema
    for part in reference.removeprefix("#/").split("/"):
        part = part.replace("~1", "/").replace("~0", "~")
        if part not in here:
            return False
        here = here[part]
    return True


def test_schema_prints_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recipe", "schema"]) == 0
    assert json.loads(capsys.readouterr().out)["title"] == "Recipe"
