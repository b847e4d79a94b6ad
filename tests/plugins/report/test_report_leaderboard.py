"""Reporter `leaderboard`: entries on disk, the site beside them, refusals."""

import json

import pytest
from harness_report.leaderboard import LeaderboardReporter
from harness_report.options import LeaderboardOptions

from harness.board.check import check_file
from harness.contract.errors import DataError
from harness.contract.protocols import ReportContext
from tests.support.pages import checked
from tests.support.studies import make_study


def test_entries_and_site_are_written_and_written_again_alike(tmp_path):
    folder = make_study(tmp_path, per_stratum=8, steps=8)
    boards = tmp_path / "leaderboards"
    context = ReportContext(folder, (), boards)
    written = LeaderboardReporter(LeaderboardOptions()).report(context).files
    names = sorted(p.relative_to(boards).as_posix() for p in written)
    assert names[-2:] == ["site/index.html", "site/quickstart.html"]
    files = sorted((boards / "quickstart" / "entries").glob("*.json"))
    assert len(files) == 4
    assert all(check_file(f) == [] for f in files)
    assert "staged" in checked(boards / "site" / "quickstart.html").words
    before = {f: f.read_bytes() for f in files}
    LeaderboardReporter(LeaderboardOptions()).report(context)
    assert {f: f.read_bytes() for f in files} == before


def test_without_a_folder_nothing_is_written(tmp_path):
    folder = make_study(tmp_path, per_stratum=2, steps=8, seed_list=(0,))
    assert LeaderboardReporter(None).report(ReportContext(folder, ())).files == []


def test_nothing_is_written_when_an_entry_would_be_refused(tmp_path):
    folder = make_study(tmp_path, per_stratum=2, steps=8, seed_list=(0,))
    ledger = folder / "staged" / "seed-0" / "ledger.jsonl"
    lines = [json.loads(line) for line in ledger.read_text().splitlines()]
    final = next(line for line in lines if line.get("name") == "final")
    final["problems"]["chain/7/heldout/0"]["infra"] = 2
    ledger.write_text("".join(json.dumps(line) + "\n" for line in lines))
    boards = tmp_path / "leaderboards"
    with pytest.raises(DataError, match=r"staged: health\.infra_errors: 2 samples could not be judged"):
        LeaderboardReporter(None).report(ReportContext(folder, (), boards))
    assert not boards.exists()
