"""The site: what stands on it, what is refused, what can never get in."""

import json
import os
import shutil

import pytest

from harness.board.build import entries
from harness.board.entry import Entry
from harness.board.folder import ensure_board, write_entry
from harness.board.references import read_references
from harness.board.site import board_folders, build_site, read_board
from harness.contract.errors import DataError
from harness.readout import read_study
from tests.support.pages import checked
from tests.support.places import ROOT
from tests.support.studies import make_study

BOARDS = ROOT / "leaderboards"


@pytest.fixture(scope="module")
def quickstart(tmp_path_factory):
    return entries(read_study(make_study(tmp_path_factory.mktemp("runs"), per_stratum=16)), "quickstart")


@pytest.fixture
def root(tmp_path, quickstart):
    root = tmp_path / "leaderboards"
    for name in ("reasoning", "quickstart"):
        shutil.copytree(BOARDS / name, root / name, ignore=shutil.ignore_patterns("*.json"))
    for entry in quickstart:
        write_entry(root / "quickstart", entry)
    return root


def test_the_shipped_boards_make_a_site(tmp_path):
    written = build_site(BOARDS, tmp_path)
    first = [p.name for p in written if p.parent == tmp_path]
    assert first == ["index.html", "quickstart.html", "reasoning.html"]
    index = checked(tmp_path / "index.html")
    assert set(index.links) == {"reasoning.html", "quickstart.html"}


def test_the_paper_s_rows_and_the_base_model_are_cited_with_source_date_and_k(tmp_path):
    build_site(BOARDS, tmp_path)
    page = checked(tmp_path / "reasoning.html")
    for text in ("42.3", "89.5", "17.8", "36.7", "89.1", "20.4", "28.9", "83.9", "16.9", "k = 16", "k = 64"):
        assert text in page.words
    assert "https://arxiv.org/abs/2504.00829" in page.links
    assert "https://github.com/deepseek-ai/DeepSeek-R1" in page.links
    for source in read_references(BOARDS / "reasoning" / "references"):
        assert str(source.retrieved) in page.words


def test_measured_entries_stand_apart_from_cited_rows(root, tmp_path):
    shutil.copytree(BOARDS / "reasoning" / "references", root / "quickstart" / "references")
    build_site(root, tmp_path)
    words = checked(tmp_path / "quickstart.html").words
    assert words.index("learnability") < words.index("Cited")
    assert "not ranked with measured entries" in words


def test_an_entry_shows_rank_both_intervals_seeds_and_cost(root, tmp_path, quickstart):
    build_site(root, tmp_path)
    page = checked(tmp_path / "quickstart.html")
    best = max(quickstart, key=lambda e: e.score.value)
    assert f"{100 * best.score.value:.1f} %" in page.words
    assert "rerun interval" in (tmp_path / "quickstart.html").read_text()
    assert "3 seeds" in page.words
    assert f"{best.cost.rollouts:,.0f}" in page.words
    assert page.tags.count("details") == 4


def test_refused_entries_are_listed_with_the_reason_and_not_ranked(root, tmp_path, quickstart):
    values = json.loads(quickstart[0].to_json())
    values["health"]["infra_errors"] = 5
    (root / "quickstart" / "entries" / "bad.json").write_text(json.dumps(values))
    (root / "quickstart" / "entries" / "torn.json").write_text('{"schema": 1,')
    build_site(root, tmp_path)
    words = checked(tmp_path / "quickstart.html").words
    assert "bad.json" in words
    assert "5 samples could not be judged" in words
    assert "torn.json" in words
    assert read_board(root / "quickstart").measured == 4


def test_entries_of_another_profile_stand_in_a_table_of_their_own(root, quickstart):
    values = json.loads(quickstart[0].to_json())
    values["verifiers"] = {"exact": "ffffffffffffffff"}
    values["recipe"]["arm"] = "judged-otherwise"
    write_entry(root / "quickstart", Entry.model_validate(values))
    tables = read_board(root / "quickstart").columns[0].tables
    assert sorted(len(t.rows) for t in tables) == [1, 4]


EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>&{{7*7}}"


def test_hostile_names_are_escaped_everywhere(root, tmp_path, quickstart):
    values = json.loads(quickstart[0].to_json())
    values["model"]["name"] = values["recipe"]["arm"] = values["recipe"]["about"] = EVIL
    values["hardware"] = {EVIL: [EVIL]}
    values["plugins"] = [{"name": EVIL, "distribution": EVIL, "version": EVIL}]
    write_entry(root / "quickstart", Entry.model_validate(values))
    (root / "quickstart" / "entries" / "&lt;b&gt;.json").write_text(f'{{"schema": "{EVIL[:8]}"}}')
    build_site(root, tmp_path)
    page = checked(tmp_path / "quickstart.html")
    assert "img" not in page.tags
    assert "<script>alert(1)</script>" in page.words
    assert "{{7*7}}" in page.words


def test_a_reference_cannot_smuggle_a_script_address(root):
    path = root / "reasoning" / "references" / "evil.toml"
    path.write_text(
        'title = "x"\nurl = "javascript:alert(1)"\nretrieved = 2026-01-01\nsource_type = "documentation"\n'
        '[[rows]]\nmodel = "m"\nscores.aime24 = { value = 1.0 }\n'
    )
    with pytest.raises(DataError, match="not an http"):
        read_references(path.parent)


@pytest.mark.parametrize("secret", ["hunter2-hunter2", "p&ss<word>\"'1\\2"])
def test_secrets_never_reach_a_page_or_an_entry(root, tmp_path, quickstart, monkeypatch, secret):
    values = json.loads(quickstart[0].to_json())
    values["hardware"] = {"command": f"serve --key {secret} --port 1"}
    leaky = Entry.model_validate(values)
    path = write_entry(root / "quickstart", leaky)
    assert json.loads(path.read_text())["hardware"]["command"] == f"serve --key {secret} --port 1"
    monkeypatch.setitem(os.environ, "EXAMPLE_API_KEY", secret)
    build_site(root, tmp_path)
    assert "serve --key *** --port 1" in checked(tmp_path / "quickstart.html").words
    write_entry(root / "quickstart", leaky)
    assert json.loads(path.read_text())["hardware"]["command"] == "serve --key *** --port 1"


def test_faulty_boards_name_file_and_field(tmp_path):
    with pytest.raises(DataError, match="no board here"):
        board_folders(tmp_path)
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "board.toml").write_text('title = "b"\ncolums = []\n')
    with pytest.raises(DataError, match=r"board\.toml.*\n?.*colums: no such field"):
        read_board(tmp_path / "b")


def test_a_board_is_made_where_there_is_none(tmp_path, quickstart):
    ensure_board(tmp_path / "new", 'A "quoted" title\n', "about", quickstart)
    write_entry(tmp_path / "new", quickstart[0])
    board = read_board(tmp_path / "new")
    assert board.title == 'A "quoted" title\n'
    assert "belongs to 'quickstart'" in board.refused[0].reason
