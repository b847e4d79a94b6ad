"""One recipe file under torch, TRL and verl, the trainer's name the only difference: three entries of one
leaderboard.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.recording.ledger import read
from tests.support.heavy import environment_python
from tests.support.places import ROOT
from tests.support.runs import harness

pytest.importorskip("trl", reason="needs the extra 'trl'")
# A start of verl takes about a minute on an idle machine, and many times that on a busy one.
pytestmark = [pytest.mark.heavy, pytest.mark.timeout(3600)]

RECIPE = ROOT / "recipes" / "backends.toml"
TRAINERS = ("torch", "trl", "verl")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which all three have run."""
    folder = tmp_path_factory.mktemp("one-recipe")
    python = environment_python("verl-cpu")
    for name in TRAINERS:
        done = harness(
            "run", str(RECIPE), "--set", f"trainer.name={name}",
            "--set", f"report.leaderboards='{folder / 'leaderboards'}'",
            cwd=folder, seconds=1500, HARNESS_VERL_PYTHON=python,
        )  # fmt: skip
        assert done.returncode == 0, f"{name}: {done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    return folder


def lines(home: Path, trainer: str, kind: str) -> list[dict[str, Any]]:
    study = home / "runs" / f"backends-{1 + TRAINERS.index(trainer)}"
    ledger = study / "main" / "seed-0" / "ledger.jsonl"
    return [line for line in read(ledger) if line["t"] == kind]


def test_each_takes_the_steps_of_both_stages(home: Path) -> None:
    for name in TRAINERS:
        ended = [
            (line["stage"], line["step"], line["reason"]) for line in lines(home, name, "stage_finished")
        ]
        assert [(stage, step) for stage, step, _ in ended] == [
            ("solved-sometimes", 3),
            ("not-mastered", 2),
        ], name
        assert len(lines(home, name, "finished")) == 1


def test_the_first_measurement_and_the_first_tasks_are_the_same(home: Path) -> None:
    subjects = {name: lines(home, name, "stage_started")[0]["subjects"] for name in TRAINERS}
    assert subjects["torch"] == subjects["trl"] == subjects["verl"]


def test_names_in_the_ledger_and_verifiers_are_the_same(home: Path) -> None:
    names = {name: set(lines(home, name, "step")[0]["metrics"]) for name in TRAINERS}
    assert names["torch"] == names["trl"] == names["verl"]
    verifiers = [json.dumps(lines(home, name, "opened")[0]["verifiers"]) for name in TRAINERS]
    assert len(set(verifiers)) == 1


def test_there_are_three_entries_on_one_leaderboard(home: Path) -> None:
    (board,) = [path for path in (home / "leaderboards").iterdir() if (path / "board.toml").is_file()]
    entries = [json.loads(path.read_text()) for path in (board / "entries").glob("*.json")]
    assert {entry["recipe"]["trainer"] for entry in entries} == set(TRAINERS)
    assert len({entry["benchmark"]["problems_sha"] for entry in entries}) == 1
    checked = harness("board", "check", str(home / "leaderboards"), cwd=home)
    assert checked.returncode == 0, checked.stderr
    page = (home / "leaderboards" / "site" / f"{board.name}.html").read_text()
    assert all(trainer in page for trainer in TRAINERS)
