"""What a recipe may say to TRL, and what it says to the stage alone."""

from __future__ import annotations

from typing import Any

import pytest
from harness_trl.arguments import arguments, micro_batch
from harness_trl.options import DECIDED, TrlOptions
from harness_trl.upstream import config_fields

from harness.contract.errors import CapabilityError, HarnessError
from harness.planning.plan import make_plans
from harness.plugging.plugins import Plugins
from harness.recipe import Conventions, Stage
from harness.testing import Workbench
from tests.plugins.trl.test_trl_conformance import TestTrl as Suite

trl = pytest.importorskip("trl", reason="needs the extra 'trl'")


def fields(options: TrlOptions, tmp: Any, **stage: Any) -> dict[str, Any]:
    return arguments(
        Stage.model_validate({"name": "s", **stage}), Conventions(), options,
        folder=tmp, seed=3, precision="fp32", cpu=True,
    )  # fmt: skip


def plan(bench: Workbench, trainer: dict[str, Any], **stage: Any) -> Any:
    recipe = Suite().recipe(stage)
    return make_plans(bench.file(recipe | {"trainer": {"name": "trl", **trainer}}), bench.plugins)


@pytest.fixture
def bench(harness_plugins: Plugins, tmp_path: Any) -> Workbench:
    return Workbench(tmp_path, harness_plugins)


def test_every_decided_field_is_one_of_trls() -> None:
    assert set(DECIDED) <= config_fields()


def test_everything_that_a_stage_decides_is_in_the_table_and_nothing_is_said_twice(tmp_path: Any) -> None:
    made = fields(TrlOptions(), tmp_path)
    free = {"gradient_checkpointing", "disable_dropout", "use_bias_correction_kl"}
    free |= {"report_to", "disable_tqdm", "dataloader_pin_memory"}
    assert set(made) - free <= set(DECIDED)


@pytest.mark.parametrize("name", sorted(DECIDED))
def test_a_field_that_the_recipe_decides_is_refused_with_the_recipes_name(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name}: the recipe says this already, with"):
        TrlOptions(grpo={name: 1})


def test_an_unknown_field_is_refused_when_the_plan_is_made(bench: Workbench) -> None:
    with pytest.raises(
        HarnessError, match=r"vllm_modes: GRPOConfig has no such field; did you mean 'vllm_mode'"
    ):
        plan(bench, {"grpo": {"vllm_modes": "server"}})


def test_further_fields_reach_grpo_config(tmp_path: Any) -> None:
    given = {
        "use_vllm": True, "vllm_mode": "server", "vllm_server_base_url": "http://localhost:8000",
        "importance_sampling_level": "sequence", "use_bias_correction_kl": True,
    }  # fmt: skip
    options = TrlOptions(grpo=given)
    config = trl.GRPOConfig(**fields(options, tmp_path))
    for name, value in given.items():
        assert getattr(config, name) == value
    assert options.by_trl
    assert not TrlOptions().by_trl


@pytest.mark.parametrize("given", [{"repetition_penalty": 1.3}, {"min_p": 0.1}])
def test_sampling_that_reaches_nobody_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="does nothing if the harness's engine generates"):
        TrlOptions(grpo=given)
    assert TrlOptions(grpo=given, generate="trl").by_trl
    with pytest.raises(ValueError, match="use_vllm does nothing"):
        TrlOptions(grpo={"use_vllm": True}, generate="engine")


@pytest.mark.parametrize(
    ("stage", "conventions", "match"),
    [
        ({"kind": "sft"}, {}, "sft"),
        ({"loss": {"kl": 0.1}}, {"kl_estimator": "k1"}, "kl_estimator = 'k1'"),
        ({"loss": {"entropy": 0.1}}, {"normalise": "sequence"}, "normalise = 'sequence'"),
        ({"rollout": {"temperature": 0}}, {}, "temperature 0"),
    ],
)
def test_what_trl_cannot_do_is_refused_by_name_when_the_plan_is_made(
    bench: Workbench, stage: dict[str, Any], conventions: dict[str, Any], match: str
) -> None:
    recipe = Suite().recipe(stage, conventions=conventions)
    with pytest.raises(CapabilityError, match=match):
        make_plans(bench.file(recipe), bench.plugins)


@pytest.mark.parametrize(
    ("rows", "most", "size"), [(256, 64, 64), (48, 64, 48), (48, 20, 16), (7, 4, 1), (9, 4, 3)]
)
def test_micro_batches_are_equal_and_hold_every_row(rows: int, most: int, size: int) -> None:
    assert micro_batch(rows, most) == size


def test_more_than_one_process_is_refused(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(HarnessError, match="one process"):
        bench.build("trainers", {"name": "trl"})
