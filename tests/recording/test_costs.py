"""What engines tell of their costs and of who answered, from the rollout to `show`, page and board."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from harness_report.markdown import MarkdownReporter
from harness_report.options import PageOptions, StudyPageOptions
from harness_report.page import PageReporter
from hypothesis import given
from hypothesis import strategies as st

from harness.board.build import entries
from harness.board.entry import Entry
from harness.board.folder import ensure_board, write_entry
from harness.board.site import build_site
from harness.cli.words import run_tables, study_tables
from harness.contract.protocols import ReportContext
from harness.contract.records import Cost, Rollout, Task
from harness.readout import read_run, read_study
from harness.recipe import Stage
from harness.recording.spending import MOST_SOURCES, OTHERS, Spent
from tests.support.live_session import LiveRun
from tests.support.pages import checked
from tests.support.studies import make_study
from tests.training.test_session_groups import STAGE, answering, end, first_is_right


def test_training_counts_what_was_generated_its_price_and_who_answered(tmp_path: Path) -> None:
    run = LiveRun(tmp_path)
    try:
        session = run.session(Stage.model_validate(STAGE))
        generate = answering(session, first_is_right)

        def told(tasks: list[Task]) -> list[Rollout]:
            return [
                replace(r, source="beam" if r.key.sample else "plain", cost=Cost(tokens=5, usd=0.5))
                for r in generate(tasks)
            ]

        end(session, session.collect(told))
        run.ledger.close()
    finally:
        run.scorer.close()
    spent = read_run(tmp_path).spent
    assert (spent.rollouts, spent.tokens, spent.unreturned, spent.usd) == (12, 12 * 7, 60, 6.0)
    assert spent.sources == {"plain": 3, "beam": 9}


def priced(folder: Path) -> Path:
    """The study, as if its engine had prices and several configurations."""
    for ledger in folder.glob("*/*/ledger.jsonl"):
        lines = [json.loads(line) for line in ledger.read_text().splitlines()]
        for line in lines:
            if "spent_tokens" in line:
                line |= {
                    "spent_usd": 12.5,
                    "spent_unreturned": 1500,
                    "spent_sources": {"fast": 700, "slow": 9},
                }
        ledger.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    return make_study(folder, steps=8, per_stratum=2, seed_list=(0, 1), arms={"a": (0.2, 0.2)})


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    return priced(make_study(folder, steps=8, per_stratum=2, seed_list=(0, 1), arms={"a": (0.2, 0.2)}))


COLUMNS = ["not returned", "price", "answered by"]


def test_show_has_the_columns_where_there_are_such_costs(plain: Path, told: Path) -> None:
    _, (table,) = study_tables(read_study(told))
    row = dict(zip(table.columns, table.rows[0], strict=True))
    assert [row[column] for column in COLUMNS] == ["1,500", "$12.50", "fast 1,400, slow 18"]
    lines, _ = run_tables(read_run(told / "a" / "seed-0"))
    assert any("1,500 of the tokens were not returned; $12.50" in line for line in lines)
    assert "answered by fast 700, slow 9" in lines
    _, (table,) = study_tables(read_study(plain))
    assert not set(COLUMNS) & set(table.columns)


def test_reports_have_them(plain: Path, told: Path) -> None:
    for folder, there in ((told, True), (plain, False)):
        context = ReportContext(folder, ())
        (page,) = PageReporter(StudyPageOptions()).report(context).files
        (tables,) = MarkdownReporter(PageOptions()).report(context).files
        for text in (checked(page).words, tables.read_text()):
            assert ("$12.50" in text) is there
            assert ("fast 1,400, slow 18" in text) is there


def test_boards_have_them_and_entries_without_stay_as_they_were(
    plain: Path, told: Path, tmp_path: Path
) -> None:
    (entry,) = entries(read_study(told), "mine")
    assert Entry.model_validate_json(entry.to_json()) == entry
    ensure_board(tmp_path / "boards" / "mine", "mine", "", [entry])
    write_entry(tmp_path / "boards" / "mine", entry)
    build_site(tmp_path / "boards", tmp_path / "site")
    words = checked(tmp_path / "site" / "mine.html").words
    assert all(text in words for text in ("Price", "$12.50", "Not returned", "fast 1,400, slow 18"))
    (bare,) = entries(read_study(plain), "mine")
    assert set(json.loads(bare.to_json())["cost"]) == {
        "rollouts", "tokens", "cpu_seconds", "evaluation_cpu_seconds",
    }  # fmt: skip


def spent() -> st.SearchStrategy[Spent]:
    counts = st.integers(0, 1000)
    names = st.dictionaries(st.sampled_from("abc"), st.integers(1, 9))
    return st.builds(Spent, counts, counts, st.just(0.0), st.just(0.0), counts, names)


@given(spent(), spent())
def test_what_was_spent_since_a_point_is_the_difference(before: Spent, later: Spent) -> None:
    after = Spent.total([before, later])
    assert after.since(before) == later
    assert Spent.of(after.as_fields()) == after


def test_sources_without_end_do_not_grow_the_ledger() -> None:
    counted = Spent()
    for number in range(200):
        counted.pay(Cost(), f"configuration {number}")
    assert len(counted.sources) == MOST_SOURCES + 1
    assert counted.sources[OTHERS] == 200 - MOST_SOURCES
