"""The recipe fits, routes, and comes to the same after a kill; what cannot be meant is refused before
anything runs."""

from pathlib import Path

import pytest
from harness.cli import main
from harness.testing import run_killed, run_recipe

FOLDER = Path(__file__).parent.parent
RECIPE = FOLDER / "recipe.toml"
#: One arm, few problems, and many small rounds of placing.
SMALL = (
    "--arm", "chebyshev", "--set", "evaluation.heldout.0.per_stratum=3", "--set", "report.reporters=[]",
    "--set", "difficulty.estimator.se=0.02", "--set", "difficulty.estimator.per_round=1",
)  # fmt: skip


def test_the_recipes_fit():
    for path in FOLDER.glob("*.toml"):
        if path.name != "pyproject.toml":
            assert main(["recipe", "check", str(path)]) == 0


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("price = 4.0\n", "", "without a price: budget-16"),
        ("price = 4.0\n", "prize = 4.0\n", "did you mean 'price'"),
        ("weight = 0.7", "weight = 7", "weight: Input should be less than or equal to 1"),
        ('rule = "chebyshev"', 'rule = "chebyshew"', "rule: Input should be 'linear' or 'chebyshev'"),
        ("se = 0.1", "se = 0", "se: Input should be greater than 0"),
    ],
)
def test_options_that_cannot_be_meant_are_refused(old, new, words, tmp_path, capsys):
    text = RECIPE.read_text(encoding="utf-8")
    assert old in text
    (tmp_path / "recipe.toml").write_text(text.replace(old, new, 1), encoding="utf-8")
    assert main(["recipe", "check", str(tmp_path / "recipe.toml")]) == 2
    assert words in capsys.readouterr().err


def test_a_run_routes_and_a_killed_one_resumes_to_the_same_numbers(tmp_path):
    """Killed between two rounds of placing: the estimator's state and the router's costs are those of the
    ledger."""
    pytest.importorskip("torch", reason="the recipe's model is a small transformer")
    whole = run_recipe(RECIPE, *SMALL, folder=tmp_path / "whole")
    sources = {line["rollout"]["source"] for line in whole.lines("sample")}
    assert sources == {"budget-4", "budget-8", "budget-16"}, "each configuration has its share"
    assert all(line["rollout"]["cost"]["usd"] > 0 for line in whole.lines("sample"))
    killed = run_killed(
        RECIPE, *SMALL, folder=tmp_path / "killed", once=lambda line: line["t"] == "measurement"
    )
    assert killed.numbers() == whole.numbers()
    rounds = [
        [(line["round"], line["outcomes"], line["estimator"]) for line in run.lines("measurement")]
        for run in (whole, killed)
    ]
    assert len(rounds[0]) > 5
    assert rounds[0] == rounds[1], "no round was placed anew"
