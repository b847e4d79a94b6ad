"""The recipe beside this distribution, and what is refused before anything runs."""

from pathlib import Path

import pytest
from harness.cli import main
from harness.readout import read_study

RECIPE = Path(__file__).parent.parent / "recipe.toml"
TERM = "arms.2.set.stages.0.loss.terms"
SMALL = (
    "seeds=[1]",
    "budget.rollouts=128",
    "evaluation.heldout.0.samples=4",
    "evaluation.heldout.0.per_stratum=1",
    "report.reporters=[]",
)


def run(verb: str, *values: str, more: tuple[str, ...] = ()) -> int:
    sets = [word for value in values for word in ("--set", value)]
    return main([verb, str(RECIPE), *sets, *more])


def test_the_recipe_fits() -> None:
    assert main(["recipe", "check", str(RECIPE)]) == 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("{low = 0.9, high = 0.5}", "low must not be above high"),
        ("{weight = -1}", "weight: Input should be greater than or equal to 0"),
        ('{estimator = "exact", limit = 2.0}', "limit bounds the ratios of sampled tokens"),
        ("{alpha = 1}", "alpha: no such field"),
    ],
)
def test_options_that_cannot_be_meant_are_refused(
    options: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = tmp_path / "recipe.toml"
    old = "weight = 0.05, low = 0.5, high = 1.0"
    text = RECIPE.read_text(encoding="utf-8")
    assert old in text
    recipe.write_text(text.replace(old, options.strip("{}")), encoding="utf-8")
    assert main(["recipe", "check", str(recipe)]) == 2
    assert words in capsys.readouterr().err


@pytest.mark.parametrize("trainer", ["verl", "sim"])
def test_a_trainer_that_has_no_loss_terms_is_refused_by_name(
    trainer: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("plan", f"trainer.name={trainer}") == 2
    assert trainer in capsys.readouterr().err


def test_trl_makes_the_same_first_update_as_torch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("trl", reason="needs the extra 'trl' of the core")
    monkeypatch.chdir(tmp_path)
    seen = []
    for trainer in ("torch", "trl"):
        values = (*SMALL, f"trainer.name={trainer}")
        assert run("run", *values, more=("--arm", "rapo", "--runs", trainer, "--jobs", "1")) == 0
        (study,) = Path(trainer).iterdir()
        (made,) = read_study(study).runs
        seen.append(made.steps[0].metrics)
    ours, theirs = seen
    name = "staged-harness-rapo/forward-kl/kl"
    assert ours.extra[name] > 0
    assert theirs.extra[name] == pytest.approx(ours.extra[name], rel=1e-4)
    assert theirs.loss == pytest.approx(ours.loss, rel=1e-3, abs=1e-6)
    assert theirs.grad_norm == pytest.approx(ours.grad_norm, rel=1e-3)
