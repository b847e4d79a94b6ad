"""Tokens saved, beside the accuracy that they cost."""

from pathlib import Path

import pytest
from harness.readout import Evaluation, Run, Study

from harness_diet.saved import TokensSaved, savings

SET = "chains"


def study(spent_class, **arms):
    """A study whose arms have (pass rate, tokens per answer) for each seed."""
    runs = []
    for arm, numbers in arms.items():
        for seed, (rate, tokens) in enumerate(numbers):
            end = Evaluation("final", SET, "brief", 10, spent_class, {"tokens": tokens}, {}, {}, rate, 0.0)
            runs.append(
                Run(Path("."), arm, seed, opened={"t": "opened"}, evaluations=[end], finished_at="now")
            )
    return Study(Path("."), "diet", runs)


@pytest.fixture
def spent():
    return Run(Path("."), "a", 0).spent


def test_arms_are_compared_seed_by_seed(spent):
    made = study(
        spent,
        grpo=[(0.90, 10.0), (0.80, 20.0)],
        diet=[(0.90, 5.0), (0.82, 10.0)],
        worse=[(0.5, 5.0), (0.4, 10.0)],
    )
    base, diet, worse = savings(made, SET)
    assert (base.gained, base.saved) == (None, None)
    assert diet.tokens.mean == pytest.approx(7.5)
    assert diet.saved.values == pytest.approx((0.5, 0.5))
    assert diet.gained.values == pytest.approx((0.0, 0.02))
    assert not worse.equal(0.02)
    assert worse.equal(0.5)


def test_one_seed_shows_no_equality(spent):
    _, diet = savings(study(spent, grpo=[(0.9, 10.0)], diet=[(0.9, 5.0)]), SET)
    assert not diet.equal(0.5)


def test_a_run_that_has_not_finished_does_not_count(spent):
    made = study(spent, grpo=[(0.9, 10.0)], diet=[(0.9, 5.0)])
    made.runs[1].finished_at = ""
    assert [saving.arm for saving in savings(made, SET)] == ["grpo"]


def test_options_have_defaults():
    assert TokensSaved(None).options.margin == 0.02
