"""A run that is killed goes on, beams included, and ends with the numbers of an unbroken one."""

from __future__ import annotations

from pathlib import Path

import pytest
from harness.testing import run_killed, run_recipe

RECIPE = Path(__file__).parent.parent / "recipe.toml"
#: The recipe's own stages, which are those of the arm `beam`, with six steps each.
SMALL = (
    "--arm", "beam", "--set", "seeds=[1]", "--set", "checkpoints.every_steps=1",
    "--set", "stages.0.max_steps=6", "--set", "stages.1.max_steps=6",
    "--set", "evaluation.heldout.0.per_stratum=4", "--set", "report.reporters=[]",
)  # fmt: skip


def test_a_killed_run_goes_on_to_the_same_numbers(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="the recipe's trainer is torch")
    whole = run_recipe(RECIPE, *SMALL, folder=tmp_path / "whole")
    assert len(whole.lines("step")) == 12
    killed = run_killed(
        RECIPE, *SMALL, folder=tmp_path / "killed",
        once=lambda line: line["t"] == "checkpoint" and line["stage"] == "grpo",
    )  # fmt: skip
    assert killed.numbers() == whole.numbers()
    made = [line["group"] for line in killed.lines("group")]
    assert any(rollout["source"] == "beam" for group in made for rollout in group["rollouts"])
