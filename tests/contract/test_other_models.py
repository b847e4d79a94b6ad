"""A wrapper may build for another model than the run's: loaders and engines below it take that name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from harness.benchmarking.folder import Asked
from harness.benchmarking.run import build_context
from harness.contract.errors import DataError
from harness.contract.protocols import BuildContext
from harness.planning.plan import make_plans
from harness.plugging.plugins import Plugins, load
from harness.recipe import load_recipe
from harness.testing.workbench import context

pytest.importorskip("torch")


@pytest.fixture(scope="module")
def plugins() -> Plugins:
    return load()


def of_a_suite(plugins: Plugins, folder: Path) -> BuildContext:
    return context(plugins, folder / "cache")


def of_an_evaluation(plugins: Plugins, folder: Path) -> BuildContext:
    return build_context(Asked(name="e", model="mine", benchmarks={}, profile={}), plugins)


def of_a_plan(plugins: Plugins, folder: Path) -> BuildContext:
    (folder / "recipe.toml").write_text(
        'name = "r"\n[model]\nname = "chain-334k"\nloader = "packaged"\ncontext_length = 32\nprompt = "raw"\n'
        '[tasks]\ntrain = [{ name = "arithmetic-chain", strata = "1-2" }]\n[[stages]]\nname = "s"\n'
        "rollout = { n = 2, batch = 2, max_tokens = 4 }\nmax_steps = 1\n"
    )
    (plan,) = make_plans(load_recipe(folder / "recipe.toml"), plugins)
    return plan.context


@pytest.mark.parametrize("made", [of_a_suite, of_an_evaluation, of_a_plan])
def test_a_loader_takes_the_name_that_a_wrapper_gives(
    made: Callable[[Plugins, Path], BuildContext], plugins: Plugins, tmp_path: Path
) -> None:
    own = made(plugins, tmp_path)
    files = own.build("models", "packaged", {}, model="chain-334k").load()
    assert files.path.name == "chain-334k"
    with pytest.raises(DataError, match="no model 'another'"):
        own.build("models", "packaged", {}, model="another").load()


@pytest.mark.parametrize("made", [of_a_suite, of_an_evaluation, of_a_plan])
def test_what_it_builds_in_turn_is_for_the_same_model(
    made: Callable[[Plugins, Path], BuildContext], plugins: Plugins, tmp_path: Path
) -> None:
    other = made(plugins, tmp_path).of_model("another")
    assert other.model == "another"
    assert other.context_length is None, "the recipe's is of its own model"
    with pytest.raises(DataError, match="no model 'another'"):
        other.build("models", "packaged", {}).load()


def test_no_name_is_the_run_s_own_model(plugins: Plugins, tmp_path: Path) -> None:
    own = of_a_plan(plugins, tmp_path)
    assert own.of_model("") is own
    assert own.build("models", "packaged", {}).load().context_length == 32
