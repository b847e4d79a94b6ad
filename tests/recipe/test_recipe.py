"""Recipes: what they may say, what is refused and in which words, overrides and arms."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.contract.errors import RecipeError
from harness.recipe import Recipe, Stage, Use, load_recipe
from harness.recipe.load import merged, override_value
from tests.support.places import ROOT
from tests.support.recipes import SIM, TORCH, write


def test_a_bare_name_and_a_table_are_the_same_reference() -> None:
    bare = Stage.model_validate({"name": "s", "curriculum": "staged"})
    table = Stage.model_validate({"name": "s", "curriculum": {"name": "staged"}})
    assert bare == table
    assert Stage.model_validate(
        {"name": "s", "curriculum": {"name": "x", "low": 0.1}}
    ).curriculum.options == {"low": 0.1}


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("rollouts = 3", "did you mean 'rollout'"),
        ("rollout = { n = 1 }", "stages.0.rollout.n: Input should be greater than or equal to 2, got 1"),
        ("rollout = { temprature = 1 }", "did you mean 'temperature'"),
        ('kind = "grpo"', "stages.0.kind: Input should be 'rl', 'sft', 'label' or 'eval', got 'grpo'"),
        ("optimizer = { lr = -1 }", "stages.0.optimizer.lr"),
        ("mixture = { math = 1.5 }", "stages.0.mixture.math"),
    ],
)
def test_a_fault_names_file_field_value_and_what_was_allowed(tmp_path: Path, line: str, words: str) -> None:
    head = SIM.partition("[[stages]]")[0]
    path = write(tmp_path, f'{head}[[stages]]\nname = "s"\n{line}\n')
    with pytest.raises(RecipeError) as refused:
        load_recipe(path)
    assert str(path) in str(refused.value)
    assert words in str(refused.value)


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    path = write(tmp_path, SIM.replace('name = "s"', 'name = "s"\nkindd = 1\nreward_ = 2'))
    with pytest.raises(RecipeError) as refused:
        load_recipe(path)
    assert "kindd" in str(refused.value)
    assert "reward_" in str(refused.value)


def test_a_missing_file_names_its_neighbours(tmp_path: Path) -> None:
    write(tmp_path, SIM, "quickstart.toml")
    with pytest.raises(RecipeError, match=r"did you mean 'quickstart\.toml'"):
        load_recipe(tmp_path / "quickstar.toml")


def test_toml_faults_say_the_line(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="line 2"):
        load_recipe(write(tmp_path, 'name = "x"\nname = = 2'))


def test_names_used_twice_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"stages: the name 'first' is used twice"):
        load_recipe(write(tmp_path, TORCH.replace('"second"', '"first"')))
    with pytest.raises(RecipeError, match=r"seeds: 1 is given twice"):
        load_recipe(write(tmp_path, SIM), ["seeds=[1, 0, 1]"])


@pytest.mark.parametrize(
    ("override", "value"),
    [
        ("stages.0.rollout.n=16", lambda r: r.stages[0].rollout.n == 16),
        ("stages.0.optimizer.lr=1e-5", lambda r: r.stages[0].optimizer.lr == 1e-5),
        ("stages.0.curriculum=uniform", lambda r: r.stages[0].curriculum.name == "uniform"),
        ("stages.0.curriculum.mastery=0.9", lambda r: r.stages[0].curriculum.options == {"mastery": 0.9}),
        ("trainer.gain=3", lambda r: r.trainer.name == "sim" and r.trainer.options == {"gain": 3}),
        ("seeds=[1, 2]", lambda r: r.seeds == (1, 2)),
        ("report.reporters=[]", lambda r: r.report.reporters == ()),
        ("resources.threads=2", lambda r: r.resources.threads == 2),
    ],
)
def test_overrides(tmp_path: Path, override: str, value: object) -> None:
    assert callable(value)
    assert value(load_recipe(write(tmp_path, SIM), [override]).recipe)


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("stages.7.name=x", "has entries 0 to 0"),
        ("stages", "not of the form"),
        ("name.x.y=1", "name: Input should be a valid string"),
        ("stages.0.rollout.m=1", "stages.0.rollout.m: no such field"),
    ],
)
def test_overrides_that_fit_nothing_are_refused(tmp_path: Path, override: str, words: str) -> None:
    with pytest.raises(RecipeError, match=words.replace(".", r"\.")):
        load_recipe(write(tmp_path, SIM), [override])


DEFAULTS = {
    "trainer": "torch",
    "engine": "trainer",
    "verifier": "exact",
    "model.loader": "folder",
    "difficulty.estimator": "pass-rate",
    "stages.0.curriculum": "uniform",
}


PLAIN = """
name = "plain"
stages = [{ name = "s" }]
[model]
name = "m"
[tasks]
train = ["arithmetic-chain"]
"""


def use_at(recipe: Recipe, field: str) -> Use:
    here: Any = recipe
    for part in field.split("."):
        here = here[int(part)] if part.isdigit() else getattr(here, part)
    assert isinstance(here, Use)
    return here


@pytest.mark.parametrize(("field", "name"), DEFAULTS.items())
def test_options_alone_are_those_of_the_default_plugin(tmp_path: Path, field: str, name: str) -> None:
    """In the file, on the command line and in an arm alike."""
    path = write(tmp_path, PLAIN)
    over = load_recipe(path, [f"{field}.option=2"])
    assert use_at(over.recipe, field) == Use(name=name, option=2)
    assert over.sha == load_recipe(path, [f'{field}={{name = "{name}", option = 2}}']).sha
    assert use_at(load_recipe(path, [f"{field}={{option = 2}}"]).recipe, field) == Use(name=name, option=2)
    if not field.startswith("stages"):  # an array, which arms replace
        arm = load_recipe(write(tmp_path, f'{PLAIN}[[arms]]\nname = "a"\nset.{field}.option = 2\n')).arms()[0]
        assert use_at(arm[1], field) == Use(name=name, option=2)


def test_an_arm_that_gives_options_alone_keeps_the_recipes_plugin(tmp_path: Path) -> None:
    text = 'trainer = "sim"\n' + PLAIN + '[[arms]]\nname = "a"\nset.trainer.gain = 2\n'
    ((_, recipe),) = load_recipe(write(tmp_path, text)).arms()
    assert recipe.trainer == Use(name="sim", gain=2)


def test_what_has_no_default_needs_its_name(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"tasks\.train\.0\.name: is missing"):
        load_recipe(write(tmp_path, SIM), ["tasks.train=[{count = 3}]"])


def test_overriding_leaves_the_given_values_alone() -> None:
    values = {"a": {"b": [1, {"c": 2}]}}
    assert override_value(values, "a.b.1.c=3") == {"a": {"b": [1, {"c": 3}]}}
    assert values == {"a": {"b": [1, {"c": 2}]}}


tables = st.recursive(
    st.integers() | st.lists(st.integers(), max_size=2),
    lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=6,
)
records = st.dictionaries(st.sampled_from("abc"), tables, max_size=3)


@given(records, records)
def test_merging_keeps_what_is_not_said_and_takes_what_is(
    base: dict[str, object], over: dict[str, object]
) -> None:
    out = merged(base, over)
    assert merged(out, over) == out
    assert merged(base, {}) == base
    for key in base.keys() - over.keys():
        assert out[key] == base[key]
    for key, value in over.items():
        if not isinstance(value, dict) or not isinstance(base.get(key), dict):
            assert out[key] == value


def test_arms_merge_tables_and_replace_arrays(tmp_path: Path) -> None:
    text = SIM + '\n[[arms]]\nname = "a"\n[[arms]]\nname = "b"\n[arms.set.budget]\nrollouts = 7\n'
    arms = {arm.name: recipe for arm, recipe in load_recipe(write(tmp_path, text)).arms()}
    assert arms["a"].budget.rollouts == 6000
    assert arms["b"].budget.rollouts == 7
    assert arms["b"].stages == arms["a"].stages


def test_an_arm_that_does_not_fit_is_refused_by_name(tmp_path: Path) -> None:
    text = SIM + '\n[[arms]]\nname = "wrong"\n[arms.set.budget]\nrolouts = 7\n'
    with pytest.raises(RecipeError, match=r"arm 'wrong': budget\.rolouts"):
        load_recipe(write(tmp_path, text))


def test_an_arm_s_own_launcher_is_refused_by_name(tmp_path: Path) -> None:
    text = SIM + '\n[[arms]]\nname = "here"\n[[arms]]\nname = "there"\n[arms.set.launcher]\nname = "slurm"\n'
    with pytest.raises(RecipeError, match=r"arms\.1\.set\.launcher: arm 'there' has a launcher of its own"):
        load_recipe(write(tmp_path, text))


def test_the_hash_is_of_what_is_said_not_of_how(tmp_path: Path) -> None:
    one = load_recipe(write(tmp_path / "a", SIM)).sha
    other = load_recipe(write(tmp_path / "b", "# a comment\n" + SIM + "\n")).sha
    changed = load_recipe(write(tmp_path / "c", SIM), ["budget.rollouts=6001"]).sha
    assert one == other != changed


def test_every_recipe_of_the_repository_is_read() -> None:
    paths = sorted((ROOT / "recipes").rglob("*.toml"))
    assert paths
    for path in paths:
        assert isinstance(load_recipe(path).recipe, Recipe)


def test_a_folder_is_no_recipe(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="cannot be read: Is a directory"):
        load_recipe(tmp_path)
