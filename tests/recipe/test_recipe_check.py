"""`harness recipe check` and `schema`: every place that names a plugin is known, checked, described."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from harness.cli import main
from harness.contract.kinds import KINDS
from harness.plugging import plugins
from harness.recipe import Recipe, Use, load_recipe
from harness.recipe.check import faults
from harness.recipe.schema import recipe_schema
from harness.recipe.uses import KIND_OF_FIELD, uses
from tests.support.places import ROOT

PLUGIN = """
from typing import Annotated
from pydantic import BaseModel, ConfigDict
from harness import hookimpl
from harness.contract.kinds import kind
from harness.recipe.stage import Plugin

class Inner(BaseModel):
    depth: int = 1
    shaper: Annotated[Plugin | None, kind("shapers")] = None
    gates: tuple[Annotated[Plugin, kind("gates")], ...] = ()
    sources: Annotated[dict[str, tuple[Plugin, ...]], kind("task_sources")] = {}

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
    fields: set[tuple[type[BaseModel], str]] = set()

    def walk(model: type[BaseModel]) -> None:
        for name, info in model.model_fields.items():
            mentioned = _classes(info.annotation)
            if Use in mentioned:
                fields.add((model, name))
            for inner in mentioned - {Use, model}:
                walk(inner)

    walk(Recipe)
    assert fields == set(KIND_OF_FIELD)
    assert set(KIND_OF_FIELD.values()) <= set(KINDS)


def _classes(annotation: Any) -> set[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return {annotation}
    inside = [_classes(part) for part in getattr(annotation, "__args__", ())]
    return set().union(*inside) if inside else set()


def test_uses_carry_kind_and_field_path(tmp_path: Path) -> None:
    path = recipe(tmp_path, 'gates = ["local/choosy", { name = "b", x = 1 }]\nloss = { terms = ["t"] }')
    used = {where: (kind, use.name, use.options) for kind, use, where in uses(load_recipe(path).recipe)}
    assert used["stages.0.gates.1"] == ("gates", "b", {"x": 1})
    assert used["stages.0.loss.terms.0"] == ("losses", "t", {})
    assert used["tasks.train.0"] == ("task_sources", "arithmetic-chain", {})
    assert used["engine"] == ("engines", "trainer", {})


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


def test_task_sources_that_the_engine_echo_names_are_checked_too(tmp_path: Path) -> None:
    words = "engine.tasks.0: nothing of kind 'task_sources' is named 'arithmetic-chian'"
    assert words in messages(recipe(tmp_path, ""), 'engine={name = "echo", tasks = ["arithmetic-chian"]}')


@pytest.mark.parametrize(
    ("inner", "words"),
    [
        (
            '{ shaper = "lenght-penalty" }',
            "gates.0.inner.shaper: nothing of kind 'shapers' is named",
        ),
        ('{ shaper = { name = "length-penalty", strenth = 1 } }', "inner.shaper: strenth: no such field"),
        ('{ gates = ["mixed-outcomes", "mixd"] }', "stages.0.gates.0.inner.gates.1: nothing of kind 'gates'"),
        ('{ sources = { a = ["jsonl", "jsnl"] } }', "inner.sources.a.1: nothing of kind 'task_sources'"),
        (
            '{ gates = [{ name = "local/choosy", inner = { gates = ["mixd"] } }] }',
            "stages.0.gates.0.inner.gates.0.inner.gates.0: nothing of kind 'gates' is named 'mixd'",
        ),
        ('{ gates = ["mixed-outcomes"], shaper = "length-penalty" }', ""),
    ],
)
def test_plugins_inside_a_plugins_options_are_checked_at_any_depth(
    tmp_path: Path, inner: str, words: str
) -> None:
    said = messages(recipe(tmp_path, f'gates = [{{ name = "local/choosy", inner = {inner} }}]'))
    assert words in said
    assert bool(words) is bool(said)


@pytest.mark.parametrize(
    ("stage", "words"),
    [
        ('curriculum = { name = "adarft", model = "qwen7b" }', ""),
        ('curriculum = { name = "adarft", model = "policy" }', ""),
        ('curriculum = { name = "adarft", model = "qwen-7b" }', "stages.0.curriculum.model: the option asks"),
        ('curriculum = { name = "adarft", model = "qwen-7b" }', "did you mean 'qwen7b'"),
    ],
)
def test_a_model_whose_labels_an_option_asks_for_must_have_some(
    tmp_path: Path, stage: str, words: str
) -> None:
    said = messages(recipe(tmp_path, stage, 'difficulty.labels.qwen7b = { path = "rates.jsonl" }'))
    assert words in said
    assert bool(words) is bool(said)


def test_a_prior_is_a_published_model_s_and_never_the_policy_s(tmp_path: Path) -> None:
    path = recipe(tmp_path, "", 'difficulty.labels.qwen7b = { path = "rates.jsonl" }')
    for prior, fits in (("qwen7b", True), ("", True), ("policy", False), ("typo", False)):
        said = messages(path, f'difficulty.estimator={{name = "posterior", prior = "{prior}"}}')
        assert bool(said) is not fits, said
    assert 'name their file: difficulty.labels."typo"' in said


def test_an_option_that_does_not_say_which_kind_it_names_is_a_plugins_fault(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = recipe(tmp_path, "")
    main(["plugins", "doctor", "--recipe", str(path)])
    assert "names a plugin, but not of which kind" not in capsys.readouterr().out
    (tmp_path / "harness_plugin.py").write_text(PLUGIN.replace('Annotated[Plugin, kind("gates")]', "Plugin"))
    assert main(["plugins", "doctor", "--recipe", str(path)]) == 1
    assert "option 'inner.gates' names a plugin, but not of which kind" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("stage", "rest", "words"),
    [
        ('reward = "al_pass"', "", "stages.0.reward: nothing of kind 'rewards' is named 'al_pass'"),
        ("select = 'p[\"7b\"] > 0'", "", "stages.0.select: the rule 'p[\"7b\"] > 0' asks for labels of '7b'"),
        ('select = "q > 1"', "", "stages.0.select: 'q' is unknown"),
        ('select = "stratum > 3"', "", "stages.0.select: cannot be worked out"),
        ("", 'difficulty.discard = "p = 0"', "difficulty.discard: not a rule"),
        ("", "difficulty.tags.hard = 'p[\"7b\"] == 0'", "difficulty.tags.hard: the rule"),
    ],
)
def test_rewards_and_names_in_rules_are_checked(tmp_path: Path, stage: str, rest: str, words: str) -> None:
    assert words in messages(recipe(tmp_path, stage, rest))


def test_options_alone_of_an_option_that_names_a_plugin_are_its_defaults(tmp_path: Path) -> None:
    """`sandbox` of the verifier `code` is `auto` by default."""
    given = "verifiers.code={sandbox = {slots = 2}}"
    assert messages(recipe(tmp_path, ""), given) == ""
    misspelt = messages(recipe(tmp_path, ""), given.replace("slots", "slot"))
    assert "verifiers.code.sandbox: slot: no such field; did you mean 'slots'" in misspelt


def test_faults_of_every_arm_are_found_once(tmp_path: Path) -> None:
    arms = "".join(f'[[arms]]\nname = "{n}"\nset = {{ verifier = "gues" }}\n' for n in "ab")
    path = recipe(tmp_path, "", arms)
    assert messages(path).count("'gues'") == 1


def test_the_built_in_engine_takes_no_options(tmp_path: Path) -> None:
    said = messages(recipe(tmp_path, ""), 'engine={name = "trainer", n = 2}')
    assert "engine: 'trainer' takes no options, got 'n'" in said


def test_the_schema_holds_each_plugins_options_under_its_name(tmp_path: Path) -> None:
    path = recipe(tmp_path, "")
    schema = recipe_schema(plugins.load(local=path.parent / "harness_plugin.py").registry)
    json.dumps(schema)
    (choosy,) = (t for t in schema["$defs"]["gates"]["anyOf"][1:] if t["title"] == "gates local/choosy")
    assert choosy["properties"]["name"]["const"] == "local/choosy"
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
    path = recipe(tmp_path, "", "difficulty.estimator.samples = 4")
    schema = recipe_schema(plugins.load(local=path.parent / "harness_plugin.py").registry)
    jsonschema.validate(tomllib.loads(path.read_text()), schema)
    path = recipe(tmp_path, 'gates = [{ name = "local/choosy", shar = 1 }]')
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
