"""A recipe that is killed and resumed for a test was really killed, and ends as an unbroken one does."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.testing import run_killed, run_recipe
from tests.support.recipes import SIM, write

#: Enough to be killed in the middle of, and no more.
SHORT = ("--set", "budget.rollouts=4000")


def test_a_killed_run_is_resumed_to_the_numbers_of_an_unbroken_one(tmp_path: Path) -> None:
    recipe = write(tmp_path, SIM)
    whole = run_recipe(recipe, *SHORT, folder=tmp_path / "whole")
    killed = run_killed(recipe, *SHORT, folder=tmp_path / "killed", once=lambda line: line["t"] == "step")
    assert killed.numbers() == whole.numbers()
    other = run_recipe(recipe, *SHORT, "--set", "seeds=[1]", folder=tmp_path / "other")
    assert other.numbers() != whole.numbers()
    assert whole.lines("step")
    assert not whole.lines("resumed")
    assert len(killed.lines("resumed")) == 1


def test_a_run_that_ends_before_it_could_be_killed_proves_nothing(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="it ended before it was killed"):
        run_killed(
            write(tmp_path, SIM), *SHORT, folder=tmp_path / "run", once=lambda line: line["t"] == "none"
        )


def test_a_run_that_fails_shows_what_it_wrote(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="did you mean 'model'"):
        run_recipe(write(tmp_path, SIM), "--set", "modle.name=x", folder=tmp_path / "run")


def test_several_runs_are_refused(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="2 runs; leave one arm and one seed"):
        run_recipe(write(tmp_path, SIM), *SHORT, "--set", "seeds=[0, 1]", folder=tmp_path / "run")
