"""`harness show RUN --samples`: why rollout 5 of step 12 was wrong."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from harness.cli import group as cli
from harness.recipe import Stage
from tests.support.live_session import LiveRun, RoundRobin, answering
from tests.training.test_session_groups import STAGE, Pilots, end, first_is_right


@pytest.fixture
def run(tmp_path: Path) -> Iterator[LiveRun]:
    made = LiveRun(tmp_path)
    yield made
    made.scorer.close()


def show(folder: Path, *options: str) -> Result:
    return CliRunner().invoke(cli, ["show", str(folder), "--samples", *options])


def trained(run: LiveRun, steps: int = 2, curriculum: RoundRobin | None = None) -> None:
    session = run.session(Stage.model_validate(STAGE), curriculum=curriculum)
    for _ in range(steps):
        end(session, session.collect(answering(session, first_is_right)))
    run.ledger.close()


def test_each_sample_has_a_row_with_its_evidence(run: LiveRun) -> None:
    trained(run)
    told = show(run.folder, "--step", "2", "--status", "fail")
    assert told.exit_code == 0
    header, *rows = told.output.splitlines()
    assert header.split()[:5] == ["stage", "step", "task", "sample", "status"]
    assert len(rows) == 9
    assert all(row.split()[1:2] == ["2"] and "fail" in row for row in rows)


def test_one_sample_is_told_in_full(run: LiveRun) -> None:
    trained(run)
    told = show(run.folder, "--step", "1", "--task", "2", "--sample", "3")
    assert told.exit_code == 0
    assert "status: fail" in told.output
    assert "extracted: ?" in told.output
    assert "verifier: exact" in told.output
    assert told.output.endswith("text:\n?\n")


def test_a_group_that_grew_is_told_once(run: LiveRun) -> None:
    trained(run, 1, Pilots())
    rows = show(run.folder).output.splitlines()[1:]
    assert len(rows) == 3 * 6


def test_what_is_not_there_is_said(run: LiveRun, tmp_path: Path) -> None:
    trained(run)
    assert "no sample of training fits" in str(show(run.folder, "--step", "99").exception)
    (tmp_path / "empty").mkdir()
    assert "this is no run" in str(show(tmp_path / "empty").exception)


def test_a_long_list_is_cut_and_says_so(run: LiveRun) -> None:
    trained(run)
    told = show(run.folder, "--limit", "5").output
    assert told.splitlines()[-1] == "the first 5; --limit shows more"
    assert len(told.splitlines()) == 7
