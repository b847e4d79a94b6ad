"""Ranks: separated where tests say so, tied otherwise, refused where scores do not compare."""

import json

import pytest

from harness.board.build import entries
from harness.board.entry import Entry
from harness.board.rank import labels, rank
from harness.readout import read_study
from tests.support.studies import make_study


def ranked(tmp_path, arms, **options):
    folder = make_study(tmp_path, arms=arms, steps=16, **options)
    return rank(entries(read_study(folder), "quickstart"))


def test_clear_differences_are_ranked(tmp_path):
    rows, pairs = ranked(tmp_path, {"uniform": (0.05, 0.05), "staged": (0.4, 0.4)}, per_stratum=32)
    assert [(r.entry.label, r.rank) for r in rows] == [("staged", 1), ("uniform", 2)]
    assert pairs[0].separated
    assert rows[0].ties == ()


def test_what_a_test_cannot_separate_is_a_tie(tmp_path):
    rows, pairs = ranked(tmp_path, {"a": (0.2, 0.2), "b": (0.2, 0.2)}, per_stratum=8)
    assert [r.rank for r in rows] == [1, 1]
    assert rows[0].ties == (rows[1].entry.label,)
    assert not pairs[0].separated
    assert pairs[0].detectable > 0


def test_entries_of_one_recipe_are_told_apart_by_their_trainer(tmp_path):
    folder = make_study(tmp_path, arms={"main": (0.3, 0.3)}, steps=8, per_stratum=2)
    (one,) = entries(read_study(folder), "q")
    values = json.loads(one.to_json())
    made = [
        Entry.model_validate(values | {"recipe": values["recipe"] | {"trainer": trainer, "sha": sha}})
        for trainer, sha in (("torch", "a" * 16), ("trl", "b" * 16), ("trl", "c" * 16))
    ]
    name = one.label
    assert labels(made[:1]) == [name]
    assert labels(made[:2]) == [f"{name}, torch", f"{name}, trl"]
    assert labels(made[1:]) == [f"{name}, bbbbbbbb", f"{name}, cccccccc"]
    assert labels(made) == [f"{name}, torch", f"{name}, trl, bbbbbbbb", f"{name}, trl, cccccccc"]


def test_seeds_that_scatter_tie_although_the_problems_alone_would_separate(tmp_path):
    folder = make_study(tmp_path, arms={"a": (0.3, 0.3), "b": (0.1, 0.1)}, steps=16, per_stratum=32)
    low, high = sorted(entries(read_study(folder), "q"), key=lambda e: e.score.value)
    values = json.loads(high.to_json())
    mean = high.score.value
    for seed, value in zip(values["seeds"], (mean - 0.3, mean, min(mean + 0.3, 1.0)), strict=True):
        seed["value"] = value
    scattered = Entry.model_validate(values)
    assert rank([low, high])[1][0].separated
    assert not rank([low, scattered])[1][0].separated


def test_scores_of_different_verifiers_never_share_a_ranking(tmp_path):
    folder = make_study(tmp_path, arms={"a": (0.3, 0.3)}, steps=8, per_stratum=2)
    one = entries(read_study(folder), "q")[0]
    other = Entry.model_validate(json.loads(one.to_json()) | {"verifiers": {"exact": "ffffffffffffffff"}})
    with pytest.raises(ValueError, match="do not compare"):
        rank([one, other])
