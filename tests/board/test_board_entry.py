"""Entries built from studies, and every reason to refuse one."""

import json

import pytest

from harness.board.build import entries, entry
from harness.board.check import check_entry, check_file, read_entry
from harness.board.entry import Entry
from harness.contract.errors import DataError, LedgerError
from harness.readout import read_study
from harness.statistics import score_counts
from tests.support.studies import make_study, spoil


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = make_study(tmp_path_factory.mktemp("runs"), per_stratum=8, samples=4, steps=8)
    return entry(read_study(folder), "staged", "strata-7-12", "quickstart")


def edited(made, **changes):
    values = json.loads(made.to_json())
    for path, value in changes.items():
        here = values
        *parts, last = path.split("__")
        for part in parts:
            here = here[part]
        here[last] = value
    return values


def test_an_entry_carries_what_a_reader_must_know(made):
    assert made.model.name == "chain-334k"
    assert made.recipe.arm == "staged"
    assert not made.recipe.simulated
    assert made.recipe.sha == "4f1e2d3c4b5a6978"
    assert made.score.metric == "avg@4"
    assert [s.seed for s in made.seeds] == [0, 1, 2]
    assert made.benchmark.problems == 48
    assert made.benchmark.profile["max_tokens"] == 16
    assert made.verifiers == {"exact": "aa11bb22cc33dd44"}
    assert made.cost.rollouts == pytest.approx(4 * 1280 + 8 * 256)
    assert set(made.strata) == {"7", "8", "9", "10", "11", "12"}
    assert made.before is not None
    assert set(made.score.pass_at) == {"2", "4"}
    assert made.hardware["cores"] == 2
    again = score_counts(*zip(*made.problems.values(), strict=True))
    assert made.score.value == pytest.approx(again.value)


def test_it_survives_its_file_and_passes_its_check(made, tmp_path):
    path = tmp_path / "entry.json"
    path.write_text(made.to_json())
    assert read_entry(path) == made
    assert check_file(path) == []


def test_an_unfinished_run_has_no_entry(tmp_path):
    folder = make_study(tmp_path, steps=8, per_stratum=2, finish=False)
    with pytest.raises(LedgerError, match="has not finished"):
        entries(read_study(folder), "quickstart")


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"health__infra_errors": 3}, "3 samples could not be judged"),
        ({"health__missing": 2}, "2 samples are missing"),
        ({"verifiers": {}}, "no verifier is named"),
        ({"score__value": 0.99}, "score.value: 0.990000, but its problems give"),
        ({"benchmark__problems": 49}, "48 are listed, benchmark.problems says 49"),
        ({"benchmark__problems_sha": "0" * 16}, "does not fit the listed problems"),
        ({"benchmark__profile": {"temperature": 0.0}}, "does not fit the profile"),
        ({"problems__chain/7/heldout/0": [13, 12]}, "13 passes among 12 samples"),
        ({"problems__chain/7/heldout/0": [1, 11]}, "11 samples, expected 12 (4 for each of 3 seeds)"),
        ({"score__rerun__high": 0.9999}, "score.rerun"),
    ],
)
def test_a_faulty_entry_is_refused_with_the_reason(made, changes, fault):
    faults = [f.what for f in check_entry(Entry.model_validate(edited(made, **changes)))]
    assert any(fault in what for what in faults), faults


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"schema": 7}, "schema is 7"),
        ({"score__value": 1.2}, "score.value"),
        ({"seeds": []}, "seeds"),
        ({"modle": 1}, "modle: no such field"),
        ({"kind": "cited"}, "kind"),
        ({"recipe__sha": "not a hash"}, "recipe.sha"),
    ],
)
def test_a_file_of_the_wrong_shape_is_refused_with_the_field(made, tmp_path, changes, fault):
    path = tmp_path / "entry.json"
    path.write_text(json.dumps(edited(made, **changes)))
    faults = check_file(path)
    assert any(fault in str(f) for f in faults), faults
    assert all(str(path) in str(f) for f in faults)


@pytest.mark.parametrize("text", ["", "[]", "{", "null", "\x00"])
def test_rubbish_is_refused(tmp_path, text):
    path = tmp_path / "entry.json"
    path.write_text(text)
    with pytest.raises(DataError):
        read_entry(path)


def test_samples_that_could_not_be_judged_reach_the_entry(tmp_path):
    folder = make_study(tmp_path, steps=8, per_stratum=2, arms={"uniform": (0.1, 0.1)}, seed_list=(0,))
    ledger = folder / "uniform" / "seed-0" / "ledger.jsonl"
    lines = [json.loads(line) for line in ledger.read_text().splitlines()]
    final = next(line for line in lines if line.get("name") == "final")
    final["problems"]["chain/7/heldout/0"] = {"samples": 0, "passes": 0, "infra": 1}
    ledger.write_text("".join(json.dumps(line) + "\n" for line in lines))
    made = entry(read_study(folder), "uniform", "strata-7-12", "quickstart")
    assert made.health.infra_errors == 1
    assert any("could not be judged" in f.what for f in check_entry(made))


def test_an_evaluation_that_lost_samples_makes_no_entry(tmp_path):
    folder = make_study(tmp_path, steps=8, per_stratum=2, arms={"uniform": (0.1, 0.1)}, seed_list=(0, 1))
    spoil(folder / "uniform" / "seed-1")
    with pytest.raises(LedgerError, match=r"seed 1: 'strata-7-12' has no score: 1 of 12 samples could not"):
        entry(read_study(folder), "uniform", "strata-7-12", "quickstart")


def test_pass_at_k_is_given_for_all_samples_of_a_seed(tmp_path):
    arms = {"uniform": (0.1, 0.1)}
    folder = make_study(tmp_path, steps=8, per_stratum=2, samples=6, arms=arms, seed_list=(0,))
    made = entry(read_study(folder), "uniform", "strata-7-12", "quickstart")
    assert list(made.score.pass_at) == ["2", "4", "6"]


def test_a_hostile_name_makes_a_harmless_file_name(made):
    evil = Entry.model_validate(edited(made, recipe__arm="../../etc/passwd", recipe__name="a b<c>"))
    assert "/" not in evil.file_name
    assert not evil.file_name.startswith(".")
