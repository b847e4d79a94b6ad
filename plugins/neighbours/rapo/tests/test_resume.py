"""A run that is killed and resumed ends with the numbers of one that was not."""

from pathlib import Path

from harness.testing import run_killed, run_recipe

RECIPE = Path(__file__).parent.parent / "recipe.toml"
SMALL = (
    "--arm", "rapo", "--set", "seeds=[1]", "--set", "budget.rollouts=1024",
    "--set", "checkpoints.every_steps=1", "--set", "evaluation.heldout.0.samples=4",
    "--set", "evaluation.heldout.0.per_stratum=1", "--set", "report.reporters=[]",
)  # fmt: skip


def test_a_killed_run_resumes_to_the_same_numbers(tmp_path: Path) -> None:
    whole = run_recipe(RECIPE, *SMALL, folder=tmp_path / "whole")
    assert len(whole.lines("step")) == 4
    killed = run_killed(
        RECIPE, *SMALL, folder=tmp_path / "killed",
        once=lambda line: line["t"] == "step" and line["metrics"]["step"] == 2,
    )  # fmt: skip
    assert killed.numbers() == whole.numbers()
