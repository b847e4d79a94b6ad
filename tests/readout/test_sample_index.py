"""The index beside a ledger: what is found through it is what the ledger holds, however it came to be."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from harness.contract.errors import LedgerError
from harness.contract.records import Span, Verdict, encode
from harness.readout import Filter, SampleIndex, SampleKey, finding, index, read_run, run_of, samples
from harness.readout.samples import Wanted
from tests.plugins.report.test_report_samples import a_run, group, wrong
from tests.support.studies import make_study
from tests.support.viewing import Answer, answers, opened, write_lines

ALL = Filter()


def evaluated(folder: Path, made: Sequence[Answer], *more: dict[str, Any]) -> SampleIndex:
    folder.mkdir(exist_ok=True)
    write_lines(folder / "ledger.jsonl", [opened(), *(answer.line() for answer in made), *more])
    return caught_up(folder)


def caught_up(folder: Path) -> SampleIndex:
    made = SampleIndex(folder)
    assert made.catch_up()
    return made


def tasks(made: SampleIndex, wanted: Filter = ALL) -> list[str]:
    return [f"{row.key.task}:{row.key.number}" for row in finding.page(made, wanted, 1000).rows]


# What is found ---------------------------------------------------------------------------------------


def test_samples_are_found_by_what_they_are(tmp_path: Path) -> None:
    made = evaluated(
        tmp_path,
        [
            Answer("a", 0, "one", "pass", "1", tokens=5),
            Answer("b", 0, "two", "fail", "50%", tokens=50, evidence={"reason": "not 3"}),
            Answer("c", 0, "three", "no_answer", finish="length", tokens=500),
        ],
    )
    made.tag("sums", {"a": ["level=1"], "b": ["level=2", "subject=sums"]})
    assert tasks(made) == ["a:0", "b:0", "c:0"]
    for wanted, names in (
        (Filter(status="fail"), ["b:0"]),
        (Filter(least=50), ["b:0", "c:0"]),
        (Filter(most=50), ["a:0", "b:0"]),
        (Filter(truncated=True), ["c:0"]),
        (Filter(truncated=False), ["a:0", "b:0"]),
        (Filter(tag="level=2"), ["b:0"]),
        (Filter(heldout="sums", task="a"), ["a:0"]),
        (Filter(heldout="others"), []),
        (Filter(words="50%"), ["b:0"]),
        (Filter(words="%"), ["b:0"]),
        (Filter(words="NOT 3"), ["b:0"]),
        (Filter(words="_"), []),
        (Filter(words="not 3", closed=("sums",)), []),
        (Filter(words="b", closed=("sums",)), ["b:0"]),
    ):
        assert tasks(made, wanted) == names, wanted
    assert finding.counts(made, Filter(least=50)) == {"fail": 1, "no_answer": 1}
    assert finding.sets(made) == {"sums": 3}
    assert set(finding.tags(made, "sums")) == {"level=1", "level=2", "subject=sums"}


def test_pages_follow_each_other_both_ways(tmp_path: Path) -> None:
    made = evaluated(tmp_path, [Answer("t", i, "x") for i in range(25)])
    first = finding.page(made, Filter(), 10)
    second = finding.page(made, Filter(), 10, first.last or 0)
    third = finding.page(made, Filter(), 10, second.last or 0)
    assert [row.key.number for part in (first, second, third) for row in part.rows] == list(range(25))
    assert third.last is None
    assert finding.before(made, Filter(), 10, third.rows[0].id) == first.last
    assert finding.before(made, Filter(), 10, second.rows[0].id) == 0
    beside = finding.beside(made, Filter(), second.rows[0].id)
    assert [row.key.number for row in beside if row] == [9, 11]


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("NEEDLE", [1]),
        ('a "quote"\n', [2]),
        ("Ünïcode", [3]),
        ("ünïcode", [3]),
        ("<b>", [4]),
        ("nothing", []),
    ],
)
def test_completions_are_searched_in_any_case(tmp_path: Path, text: str, numbers: list[int]) -> None:
    written = ["no", "a needle here", 'a "quote"\nand more', "ÜNÏCODE", "<b>bold</b>"]
    made = evaluated(tmp_path, [Answer("t", i, said) for i, said in enumerate(written)])
    matches = finding.search(made, Filter(), text, 10)
    assert [row.key.number for row in matches.rows] == numbers
    assert matches.last is None
    assert not finding.search(made, Filter(closed=("sums",)), text, 10).rows


def test_a_search_that_takes_too_long_goes_on_from_where_it_stopped(tmp_path: Path) -> None:
    made = evaluated(tmp_path, [Answer("t", i, "x" if i < 29 else "needle") for i in range(30)])
    first = finding.search(made, Filter(), "needle", 10, seconds=-1)
    assert (len(first.rows), first.last) == (0, 1)
    rest = finding.search(made, Filter(), "needle", 10, first.last or 0, seconds=60)
    assert ([row.key.number for row in rest.rows], rest.last) == ([29], None)


def test_samples_of_training_are_those_that_a_reader_of_the_ledger_sees(tmp_path: Path) -> None:
    grown = group(wrong(0), wrong(1), wrong(2, extracted="9"), step=2)
    run = a_run(tmp_path, [group(wrong(0), step=1), group(wrong(0), wrong(1), step=2), grown])
    made = caught_up(run)
    seen = [(one.stage, one.group.step, one.group.task, one.number) for one in samples(run, Wanted())]
    rows = finding.page(made, Filter(finding.TRAINING), 100).rows
    assert [(r.key.stage, r.key.step, r.key.task, r.key.number) for r in rows] == seen
    whole = finding.whole(made, rows[-1].key)
    assert whole is not None
    assert whole.sample.verdict.extracted == "9"
    assert whole.sample.rollout is not None
    assert whole.sample.rollout.text == "so it is 7"


def test_a_whole_sample_is_the_one_in_the_ledger(tmp_path: Path) -> None:
    answer = Answer(
        "a", 1, "it is 7", "fail", "7", tokens=3,
        evidence={"tests_run": 2, "tests_total": 5, "spans": (Span(0, 2, 0.5),), "reason": "r" * 900},
    )  # fmt: skip
    made = evaluated(tmp_path, [Answer("a", 0, "other"), answer])
    whole = finding.whole(made, SampleKey("sums", "a", 1, "final"))
    assert whole is not None
    assert whole.sample.verdict == answer.verdict
    assert whole.sample.rollout == answer.rollout
    assert finding.whole(made, SampleKey("sums", "a", 2, "final")) is None


def test_the_latest_judgement_counts_and_the_first_is_kept(tmp_path: Path) -> None:
    later = Verdict(status="pass", score=1.0, verifier="math", verifier_hash="new", extracted="8")
    line = {"t": "verdict", "scoring": 1, "heldout": "sums", "task": "a", "sample": 0, "finish": "stop",
            "tokens": 10, "verdict": later}  # fmt: skip
    made = evaluated(tmp_path, [Answer("a", 0, "7", "fail", "7")], line)
    assert finding.counts(made, Filter()) == {"pass": 1}
    whole = finding.whole(made, SampleKey("sums", "a", 0, "final"))
    assert whole is not None
    assert whole.sample.verdict == later
    assert whole.first is not None
    assert (whole.first.status, whole.row.scoring) == ("fail", 1)


def test_problems_are_counted_by_what_was_judged(tmp_path: Path) -> None:
    made = evaluated(
        tmp_path, [Answer("a", 0, "x"), Answer("a", 1, "x", "fail"), Answer("a", 2, "x", "infra_error")]
    )
    assert finding.problems(made, finding.last_place(made, "sums")) == {"a": (1.0, 2.0)}


# How it keeps up -------------------------------------------------------------------------------------


def test_it_follows_a_ledger_that_grows_and_waits_for_the_end_of_a_line(tmp_path: Path) -> None:
    made = evaluated(tmp_path, [Answer("a", 0, "x")])
    line = encode(Answer("b", 0, "y").line()) + b"\n"
    with made.ledger.open("ab") as file:
        file.write(line[:40])
        file.flush()
        assert made.catch_up()
        assert tasks(made) == ["a:0"]
        file.write(line[40:])
    assert made.catch_up()
    assert tasks(made) == ["a:0", "b:0"]


def test_it_is_made_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index, "BATCH", 5)
    write_lines(tmp_path / "ledger.jsonl", [opened(), *(answer.line() for answer in answers())])
    made, rounds = SampleIndex(tmp_path), 0
    shares = [made.share()]
    while not made.catch_up(-1):
        rounds += 1
        shares.append(made.share())
    assert rounds > 2
    assert shares == sorted(shares)
    assert (shares[0], made.share()) == (0.0, 1.0)
    assert len(tasks(made)) == 20


def test_steps_that_were_done_again_are_not_there_twice(tmp_path: Path) -> None:
    run = a_run(tmp_path, [group(wrong(0), step=1), group(wrong(0), step=2), group(wrong(0), step=3)])
    made = caught_up(run)
    again = [
        {"t": "rewound", "stage": "s", "step": 1},
        {"t": "group", "stage": "s", "kept": True, "group": {
            "task": "t", "subject": "t", "step": 2, "statuses": ["pass"], "scores": [1.0], "rewards": [1.0],
            "advantages": [0.0], "lengths": [3], "verifier": "v", "verifier_hash": "h"}},
    ]  # fmt: skip
    write_lines(run / "ledger.jsonl", again)
    assert made.catch_up()
    rows = finding.page(made, Filter(), 100).rows
    assert [(row.key.step, row.status) for row in rows] == [(1, "fail"), (2, "pass")]


def test_a_run_is_read_through_it_without_its_texts(tmp_path: Path) -> None:
    study = make_study(tmp_path, steps=8, per_stratum=2, seed_list=(0,), arms={"a": (0.2, 0.2)})
    folder = study / "a" / "seed-0"
    made = caught_up(folder)
    assert run_of(made.events(), folder, "a", 0) == read_run(folder, "a", 0)
    steps = finding.difficulty(made)
    assert len(steps) == 8
    assert sum(size for counted in steps.values() for _, size in counted.values()) == len(tasks(made))


@pytest.mark.parametrize(
    "fault", ["missing", "damaged", "of another version", "of another ledger", "shorter"]
)
def test_one_that_does_not_fit_is_made_anew(tmp_path: Path, fault: str) -> None:
    made = evaluated(tmp_path, answers())
    if fault == "missing":
        made.path.unlink()
    elif fault == "damaged":
        made.path.write_bytes(b"no database" * 500)
    elif fault == "of another version":
        with sqlite3.connect(made.path) as db:
            db.execute("UPDATE about SET value = 0 WHERE name = 'version'")
        db.close()
    else:
        made.ledger.unlink()
        other = opened() | ({"seed": 5} if fault == "of another ledger" else {})
        write_lines(made.ledger, [other, Answer("new", 0, "x").line()])
    again = caught_up(tmp_path)
    assert len(tasks(again)) == (1 if fault in ("of another ledger", "shorter") else 20)


def test_it_is_in_the_cache_where_a_run_cannot_be_written_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    run.mkdir()
    write_lines(run / "ledger.jsonl", [opened(), Answer("a", 0, "x").line()])
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    # Root may write anywhere, so that the answer is given here.
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    made = caught_up(run)
    assert tasks(made) == ["a:0"]
    assert sorted(path.name for path in run.iterdir()) == ["ledger.jsonl"]
    assert made.path.is_relative_to(tmp_path / "cache")


def test_a_ledger_that_is_not_there_or_is_damaged_is_told(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="there is no ledger here"):
        SampleIndex(tmp_path / "nothing").catch_up()
    assert not (tmp_path / "nothing").exists()
    write_lines(tmp_path / "ledger.jsonl", [opened(), Answer("a", 0, "x").line()])
    made = caught_up(tmp_path)
    with made.ledger.open("ab") as file:
        file.write(b"{broken\n")
    with pytest.raises(LedgerError, match=r"after byte \d+ is damaged"):
        made.catch_up()
    assert tasks(made) == ["a:0"]
