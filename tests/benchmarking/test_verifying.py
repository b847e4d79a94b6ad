"""Fingerprints, rejudged entries, and `harness board verify`, as a user runs them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.benchmarking.verifying import verify_entry
from harness.board.check import check_entry, check_file, read_entry
from harness.board.entry import Entry
from harness.board.site import read_board
from harness.plugging.plugins import load
from harness.statistics.tally import Tally
from tests.support.data import data_folder
from tests.support.evaluations import LEDGER, echo, evaluate
from tests.support.places import ROOT

pytest.importorskip("math_verify")

SMOKE = ["--profile", "greedy-smoke"]
SOURCE = """
title = "Someone's answers"
url = "https://example.org/answers"
commit = "0123abc"
licence = "MIT"
retrieved = 2026-11-30
unknown = ["temperature"]
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    rows = [{"id": f"p{i}", "problem": f"{i}?", "answer": str(i % 3)} for i in range(6)]
    (tmp_path / "mine.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    answers(tmp_path / "out.jsonl", "1")
    (tmp_path / "source.toml").write_text(SOURCE)
    return tmp_path


def answers(path: Path, answer: str) -> None:
    rows = [{"task": f"p{i}", "response": f"\\boxed{{{answer}}}", "finish": "stop"} for i in range(6)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def entry_of(home: Path) -> Path:
    (entry,) = (home / "leaderboards" / "b" / "entries").glob("*.json")
    return entry


def measured(home: Path, *more: str) -> Path:
    evaluate(home, "eval", "m", "-b", "mine.jsonl", *SMOKE, *echo("\\boxed{1}"), *more)
    evaluate(home, "board", "add", "runs/m-greedy-smoke-1", "--board", "b")
    return entry_of(home)


def verify(home: Path, entry: Path, outputs: str, code: int = 0) -> str:
    return evaluate(home, "board", "verify", str(entry), "--outputs", outputs, "-b", "mine.jsonl", code=code)


def test_an_entry_is_confirmed_by_its_own_samples(home: Path) -> None:
    entry = measured(home, "--samples", "3")
    assert set(json.loads(entry.read_text())["answers"]) == {f"p{i}" for i in range(6)}
    said = verify(home, entry, "runs/m-greedy-smoke-1")
    assert "confirmed: outcomes and answers of all 6 problems" in said


def test_other_samples_are_told_apart_problem_by_problem(home: Path) -> None:
    entry = measured(home)
    assert "confirmed" in verify(home, entry, "out.jsonl")
    rows = (home / "out.jsonl").read_text().splitlines()
    # As wrong as before, but with another answer: outcomes alone would not show it.
    rows[0] = rows[0].replace("{1}", "{2}")
    (home / "out.jsonl").write_text("\n".join(rows) + "\n")
    said = verify(home, entry, "out.jsonl", code=1)
    assert "p0: 0 of 1 pass in the entry, 0 of 1 now; other answers" in said
    assert "1 of 6 problems come out otherwise" in said


def test_an_edited_entry_is_not_confirmed(home: Path) -> None:
    entry = measured(home)
    values = json.loads(entry.read_text())
    values["problems"]["p0"] = [1, 1]
    entry.write_text(json.dumps(values))
    assert "p0: 1 of 1 pass in the entry, 0 of 1 now; the same answers" in verify(
        home, entry, "out.jsonl", code=1
    )


def test_the_folder_of_an_evaluation_knows_the_file_of_its_benchmark(home: Path) -> None:
    entry = str(measured(home))
    verify = ["board", "verify", entry, "--outputs"]
    assert "confirmed" in evaluate(home, *verify, "runs/m-greedy-smoke-1")
    said = evaluate(home, *verify, "out.jsonl", code=2)
    assert "benchmark 'mine' is no installed plugin's" in said
    assert "-b mine.jsonl" in said
    (home / "mine.jsonl").unlink()
    assert "mine.jsonl is gone" in evaluate(home, *verify, "runs/m-greedy-smoke-1", code=2)


def test_missing_outputs_are_refused(home: Path) -> None:
    entry = measured(home)
    (home / "out.jsonl").write_text("".join((home / "out.jsonl").open().readlines()[:5]))
    assert "1 of 6 samples are missing" in verify(home, entry, "out.jsonl", code=2)


def test_imported_answers_are_rejudged_and_stand_apart(home: Path) -> None:
    measured(home)
    evaluate(home, "score", "--import", "out.jsonl", "-b", "mine.jsonl", *SMOKE)
    add = ["board", "add", "runs/out-greedy-smoke-1", "--board", "b"]
    assert "rejudged and says where they come from" in evaluate(home, *add, code=2)
    evaluate(home, *add, "--source", "source.toml")
    entries = {path.name: read_entry(path) for path in entry_of_all(home)}
    kinds = {entry.kind for entry in entries.values()}
    assert kinds == {"measured", "rejudged"}
    one, two = entries.values()
    assert one.problems == two.problems
    assert one.fingerprint == two.fingerprint, "two parties with the same answers agree"
    (column,) = read_board(home / "leaderboards" / "b").columns
    assert [len(table.rows) for table in column.tables] == [1, 1], "they share no rank group"
    evaluate(home, "board", "build")
    page = (home / "leaderboards" / "site" / "b.html").read_text()
    assert "judged anew" in page
    assert "https://example.org/answers" in page
    assert "Not known: temperature" in page
    refused = [*add[:2], "runs/m-greedy-smoke-1", *add[3:], "--source", "source.toml"]
    assert "the entry is measured" in evaluate(home, *refused, code=2)


def entry_of_all(home: Path) -> list[Path]:
    return sorted((home / "leaderboards" / "b" / "entries").glob("*.json"))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"kind": "rejudged"}, "says where its generations come from"),
        ({"answers": {"p0": "0" * 16}}, "are not those of the listed problems"),
    ],
)
def test_an_entry_that_contradicts_itself_is_refused(home: Path, change: dict[str, Any], said: str) -> None:
    entry = measured(home)
    entry.write_text(json.dumps(json.loads(entry.read_text()) | change))
    assert said in " ".join(map(str, check_entry(read_entry(entry))))


def test_entries_of_the_older_shape_are_read(home: Path) -> None:
    entry = measured(home)
    values = json.loads(entry.read_text())
    del values["answers"]
    entry.write_text(json.dumps({**values, "schema": 1}))
    assert check_entry(read_entry(entry)) == []
    assert read_entry(entry).fingerprint == ""
    assert "the entry states no answers" in verify(home, entry, "out.jsonl")


def test_a_ledger_without_fingerprints_gets_them(home: Path) -> None:
    evaluate(home, "eval", "m", "-b", "mine.jsonl", *SMOKE, *echo("\\boxed{1}"))
    ledger = home / "runs" / "m-greedy-smoke-1" / LEDGER
    lines = [json.loads(line) for line in ledger.read_text().splitlines()]
    for line in lines:
        line.pop("answers", None)
    ledger.write_text("".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines))
    evaluate(home, "eval", "--resume", "runs/m-greedy-smoke-1")
    evaluate(home, "board", "add", "runs/m-greedy-smoke-1", "--board", "b")
    assert read_entry(entry_of(home)).fingerprint


samples = st.lists(st.tuples(st.sampled_from(["1", "2", None]), st.booleans()), min_size=1, max_size=8)


@given(samples, st.randoms())
def test_a_fingerprint_knows_answers_and_neither_order_nor_judgement(
    drawn: list[tuple[str | None, bool]], random: Any
) -> None:
    def of(rows: list[tuple[str | None, bool]]) -> str:
        tally = Tally()
        for i, (extracted, right) in enumerate(rows):
            status = "no_answer" if extracted is None else "pass" if right else "fail"
            tally.add(i, status=status, score=1.0, extracted=extracted, finish="stop", tokens=1)
        return tally.fingerprint()

    shuffled = list(drawn)
    random.shuffle(shuffled)
    assert of(drawn) == of(shuffled) == of([(text, not right) for text, right in drawn])
    assert of(drawn) != of([*drawn, (None, False)])
    assert of(drawn) != of([("3", True), *drawn[1:]])


# The entries of this repository --------------------------------------------------------------------------


ENTRIES = sorted((ROOT / "leaderboards").glob("*/entries/*.json"))
#: Those whose outputs are mathematics; programs take a sandbox and minutes.
HERE = [path for path in ENTRIES if '"file": "outputs/math' in path.read_text()]
#: Samples of measured entries, each file named as its entry.
SAMPLES = sorted((ROOT / "leaderboards").glob("*/samples/*.parquet"))


@pytest.mark.parametrize("path", ENTRIES, ids=lambda p: p.stem)
def test_a_published_entry_contradicts_nothing(path: Path) -> None:
    assert check_file(path) == []


@pytest.mark.parametrize("path", HERE, ids=lambda p: p.stem)
def test_a_published_rejudged_entry_is_what_its_outputs_give(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = data_folder()
    monkeypatch.setenv("HARNESS_DATA", str(data))
    entry = read_entry(path)
    assert entry.source is not None
    outputs = data / entry.source.file
    if not outputs.is_file():
        pytest.skip(f"no {outputs}")
    confirm(entry, outputs)


@pytest.mark.parametrize("path", SAMPLES, ids=lambda p: p.stem)
def test_a_published_measured_entry_is_what_its_samples_give(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("pyarrow", reason="needs the extra 'parquet'")
    monkeypatch.setenv("HARNESS_DATA", str(data_folder()))
    entry = read_entry(path.parents[1] / "entries" / f"{path.stem}.json")
    assert entry.kind == "measured"
    confirm(entry, path, {"benchmark": entry.benchmark.name})


def confirm(entry: Entry, outputs: Path, where: dict[str, str] | None = None) -> None:
    verification = verify_entry(entry, outputs, load(), where=where)
    assert verification.confirmed, "\n".join(map(str, verification.differences[:5]))
    assert verification.answers_stated
    # A later version of the verifier may confirm what an earlier one said.
    assert set(verification.facts) <= {"verifiers"}, dict(verification.facts)
