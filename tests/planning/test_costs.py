"""What a plan would cost, from stated rates."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.contract.errors import DataError, RecipeError
from harness.planning.costs import Rates, read_rates, stage_cost, told
from harness.recipe import Stage
from tests.support.recipes import SIM, write
from tests.support.runs import harness

RATES: dict[str, Any] = {
    "about": "made up",
    "gpus": 8,
    "generate_tokens_per_second": 1000.0,
    "train_tokens_per_second": 4000.0,
    "mean_tokens": {"default": 100.0, "long": 5000.0},
    "step_seconds": 2.0,
    "gpu_hour": 3.0,
}


def stage(name: str = "a", **more: Any) -> Stage:
    rollout = {"n": 4, "batch": 10, "max_tokens": 2000}
    return Stage.model_validate({"name": name, "rollout": rollout, "max_steps": 50} | more)


def test_a_stage_costs_its_tokens_at_both_rates() -> None:
    cost = stage_cost(stage(), Rates(**RATES))
    assert (cost.steps, cost.rollouts, cost.tokens) == (50, 2000, 200_000)
    assert cost.seconds == pytest.approx(200_000 / 1000 + 200_000 / 4000 + 50 * 2)


def test_the_first_bound_counts_and_completions_are_no_longer_than_allowed() -> None:
    rates = Rates(**RATES)
    assert stage_cost(stage(until={"rollouts": 90}), rates).steps == 3
    assert stage_cost(stage(until={"steps": 7}, repeat=2), rates).steps == 14
    assert stage_cost(stage("long"), rates).tokens == 2000 * 2000


@pytest.mark.parametrize("endless", [{"max_steps": None}, {"repeat": "budget"}])
def test_a_stage_without_an_end_is_refused(endless: dict[str, Any]) -> None:
    with pytest.raises(DataError, match="no bound on its steps"):
        stage_cost(stage(**endless), Rates(**RATES))


def test_the_sum_is_told_last() -> None:
    rates = Rates(**RATES)
    lines = list(told({"a": stage_cost(stage(), rates), "b": stage_cost(stage("b"), rates)}, rates))
    assert "made up" in lines[0]
    assert lines[-1].startswith("    in all: 100 steps, 4,000 rollouts")


def test_plan_prints_the_costs(tmp_path: Path) -> None:
    write(tmp_path, SIM)
    (tmp_path / "rates.toml").write_text(
        'about = "x"\ngpus = 1\ngenerate_tokens_per_second = 1\ntrain_tokens_per_second = 1\n'
        "mean_tokens = { default = 9 }\n"
    )
    bounds = ("--set", "stages.0.max_steps=3", "--set", "stages.0.repeat=2")
    done = harness("plan", "recipe.toml", "--rates", "rates.toml", *bounds, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "cost at stated rates (x)" in done.stdout


def test_a_wrong_rates_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "rates.toml"
    with pytest.raises(DataError, match=r"rates\.toml"):
        read_rates(path)
    path.write_text("gpus = 8")
    with pytest.raises(RecipeError, match="generate_tokens_per_second"):
        read_rates(path)
