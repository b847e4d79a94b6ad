"""The parts of a stage's batches: tags that a rule gives may be on nobody, other names may not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from harness_tasks.chain import ArithmeticChain, ChainOptions

from harness.contract.errors import TrainingError
from harness.recipe import Stage
from harness.recipe.rules import Rule
from harness.tasks.pool import StagePool, TaskPool
from harness.training.drawing import Mixture, mixture_of
from tests.support.live_session import context

#: No chain has such a stratum.
NOBODY = 'stratum == "99"'


def mixture(folder: Path, shares: dict[str, float], **rules: str) -> Mixture:
    pool = TaskPool([ArithmeticChain(ChainOptions.model_validate({"strata": "1-4"}), context(folder))])
    pool.tag({name: Rule(text) for name, text in rules.items()}, {})
    stage: dict[str, Any] = {"name": "s", "mixture": shares}
    return mixture_of(pool, Stage.model_validate(stage), StagePool(pool, pool.subjects, {}))


def test_each_part_has_the_subjects_of_its_tag(tmp_path: Path) -> None:
    made = mixture(
        tmp_path, {"easy": 0.75, "hard": 0.25}, easy='stratum == "1"', hard='stratum in ("3", "4")'
    )
    assert [len(pool.subjects) for pool in made.pools] == [1, 2]
    assert made.split(8) == [6, 2]


def test_the_share_of_a_tag_that_no_label_fits_goes_to_the_others(tmp_path: Path) -> None:
    shares = {"mastered": 0.5, "easy": 0.375, "hard": 0.125}
    made = mixture(tmp_path, shares, mastered=NOBODY, easy='stratum == "1"', hard='stratum == "4"')
    assert made.shares == [0.75, 0.25]
    assert made.split(8) == [6, 2]


def test_a_name_that_is_neither_a_tag_nor_a_domain_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"no selected subject has the tag or domain 'eazy'"):
        mixture(tmp_path, {"eazy": 0.5, "hard": 0.5}, easy=NOBODY, hard='stratum == "4"')


def test_a_mixture_of_nobody_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"no selected subject has any of its tags"):
        mixture(tmp_path, {"easy": 0.5, "hard": 0.5}, easy=NOBODY, hard=NOBODY)
