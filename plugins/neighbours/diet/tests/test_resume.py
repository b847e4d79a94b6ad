"""A run that is killed and resumed ends with the numbers of one that was not, its posterior included."""

from pathlib import Path

from harness.testing import run_killed, run_recipe

RECIPE = Path(__file__).parent.parent / "recipe.toml"
#: The arm `diet`, the third one, with a warm-up of two steps and four steps of reinforcement.
SMALL = (
    "--arm", "diet", "--set", "seeds=[1]", "--set", "checkpoints.every_steps=1",
    "--set", "arms.2.set.stages.0.max_steps=2", "--set", "arms.2.set.stages.1.max_steps=4",
    "--set", "evaluation.heldout.0.samples=4", "--set", "evaluation.heldout.0.per_stratum=1",
    "--set", "report.reporters=[]",
)  # fmt: skip


def test_a_killed_run_resumes_to_the_same_numbers(tmp_path: Path) -> None:
    whole = run_recipe(RECIPE, *SMALL, folder=tmp_path / "whole")
    assert len(whole.lines("step")) == 6
    killed = run_killed(
        RECIPE, *SMALL, folder=tmp_path / "killed",
        once=lambda line: line["t"] == "checkpoint" and (line["stage"], line["step"]) == ("brief", 2),
    )  # fmt: skip
    assert killed.numbers() == whole.numbers()
