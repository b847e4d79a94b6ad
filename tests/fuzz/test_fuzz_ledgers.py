"""Ledgers and the folders around them: reading, going on, showing, finding samples."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.cli.samples import print_samples
from harness.cli.tables import show
from harness.cli.words import run_tables, study_tables
from harness.readout import read_run, read_study
from harness.readout.finding import (
    Filter,
    counts,
    difficulty,
    last_place,
    page,
    problems,
    search,
    sets,
    tags,
    whole,
)
from harness.readout.folders import glance
from harness.readout.index import SampleIndex
from harness.readout.samples import Wanted, step_sizes
from harness.recording.history import read_history
from harness.recording.ledger import Ledger, read
from tests.support import fuzz
from tests.support.studies import make_study
from tests.support.viewing import answers, write_lines

#: Lines that a run of the tests' study has none of.
MORE: list[dict[str, Any]] = [
    {"t": "measurement", "stage": "s", "spent_rollouts": 3, "spent_tokens": 9, "spent_cpu_seconds": 0.1,
    "rounds": []},
    {"t": "verdict", "scoring": 1, "heldout": "sums", "task": "sums/0", "sample": 0,
     "verdict": {"status": "fail", "score": 0.0, "verifier": "math", "verifier_hash": "ab"}},
    {"t": "rewound", "stage": "all", "step": 2},
    {"t": "resumed", "at": "2026-01-02T03:04:05Z"},
]  # fmt: skip


def run_lines(folder: Path) -> list[Any]:
    """A short ledger with a line of every type."""
    ledger = make_study(
        folder, arms={"uniform": (0.1, 0.1)}, seed_list=(0,), steps=2, per_stratum=1
    ) / "uniform/seed-0/ledger.jsonl"  # fmt: skip
    kept: list[Any] = []
    for line in map(json.loads, ledger.read_text().splitlines()):
        if sum(other["t"] == line["t"] for other in kept) < 2:
            if line["t"] == "labels":
                line["labels"] = line["labels"][:2]
            kept.append(line)
    samples = folder / "samples.jsonl"
    write_lines(samples, (answer.line() for answer in answers(0)[:2]))
    text = samples.read_text().splitlines()
    return [*kept[:-1], *map(json.loads, text), *MORE, kept[-1]]


@pytest.fixture(scope="module")
def whole_run(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    return run_lines(tmp_path_factory.mktemp("valid"))


def content(data: st.DataObject, lines: list[Any]) -> bytes:
    """A ledger with edits of its lines, or of its bytes."""
    if data.draw(st.integers(0, 3)):
        made = data.draw(fuzz.mutated([lines]))
        return b"".join(fuzz.as_json(line) + b"\n" for line in (made if isinstance(made, list) else [made]))
    return data.draw(fuzz.torn([b"".join(fuzz.as_json(line) + b"\n" for line in lines)]))


def shown(folder: Path) -> None:
    """As `harness show` prints a run or a study."""
    made = (
        run_tables(read_run(folder))
        if (folder / "ledger.jsonl").is_file()
        else study_tables(read_study(folder))
    )
    with contextlib.redirect_stdout(io.StringIO()):
        for table in made[1]:
            show(table)


def searched(folder: Path) -> None:
    """As `harness view` looks for samples."""
    index = SampleIndex(folder)
    index.catch_up()
    list(index.events())
    for heldout in sets(index):
        wanted = last_place(index, heldout)
        counts(index, wanted)
        problems(index, wanted)
        tags(index, heldout)
        for row in page(index, Filter(heldout=heldout), 5).rows:
            whole(index, row.key)
        search(index, Filter(heldout=heldout), "more", 5)
    difficulty(index)


def printed(folder: Path) -> None:
    """As `harness show --samples` prints them."""
    with contextlib.redirect_stdout(io.StringIO()):
        print_samples(folder, Wanted(), 5)
        print_samples(folder, Wanted(number=0), 1)
    step_sizes(folder)


def resumed(folder: Path) -> None:
    """As a run goes on."""
    read_history(folder / "ledger.jsonl")
    with Ledger(folder / "ledger.jsonl") as ledger:
        ledger.append("resumed")
    list(read(folder / "ledger.jsonl", replaced=True))


@fuzz.examples(80)
@given(data=st.data())
def test_a_ledger_is_read_or_refused(data: st.DataObject, whole_run: list[Any], tmp_path: Path) -> None:
    study = tmp_path / "study-1"
    folder = study / "main" / "seed-0"
    folder.mkdir(parents=True, exist_ok=True)
    made = content(data, whole_run)
    (folder / "ledger.jsonl").write_bytes(made)
    for name, look in (("show", shown), ("samples", printed), ("view", searched), ("resume", resumed)):
        fuzz.outcome(f"ledger {name}", lambda look=look: look(folder), shown=made)  # type: ignore[misc]
    fuzz.outcome("ledger glance", lambda: glance(study), shown=made)


PLAN = {"recipe": "r", "overrides": ["seeds=[0]"], "runs": [["main", 0], ["other", 1]], "blocked": []}
RECIPE = {
    "name": "r",
    "about": "x",
    "arms": [{"name": "main", "about": "y"}, {"name": "other"}],
    "seeds": [0, 1],
}


@fuzz.examples(60)
@given(
    plan=st.one_of(fuzz.mutated([PLAN]).map(fuzz.as_json), fuzz.torn([fuzz.as_json(PLAN)])),
    recipe=st.one_of(
        fuzz.mutated([RECIPE]).map(fuzz.as_toml).map(str.encode), fuzz.torn([fuzz.as_toml(RECIPE).encode()])
    ),
)
def test_a_studys_folder_is_read_or_refused(plan: bytes, recipe: bytes, tmp_path: Path) -> None:
    study = tmp_path / "study-1"
    study.mkdir(exist_ok=True)
    (study / "study.json").write_bytes(plan)
    (study / "recipe.toml").write_bytes(recipe)
    fuzz.outcome("study glance", lambda: glance(study), shown=(plan, recipe))
    fuzz.outcome("study show", lambda: shown(study), shown=(plan, recipe))
