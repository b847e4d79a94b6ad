"""Boards of many entries: permalinks, lists, what sets tables apart, pictures, limits, and the script."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.board import BYTES, made_up, make_board
from harness.board.entry import Entry
from harness.board.rank import FEW, rank
from harness.board.site import FIRST_ROWS, build_site, read_board
from harness.statistics import compare
from harness.statistics.all_pairs import separate
from tests.support.pages import checked

CHROMIUM = shutil.which("chromium") or ""
ENTRIES = 600


def board(root: Path, entries: list[dict[str, Any]]) -> Path:
    """A board `many` of these entries."""
    make_board(root, 0)
    for number, values in enumerate(entries):
        (root / "many" / "entries" / f"e{number}.json").write_text(json.dumps(values))
    return root / "many"


def made(*numbers: int) -> list[dict[str, Any]]:
    rng = np.random.default_rng(0)
    return [made_up(number, rng) for number in numbers]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site of a board of 600 entries on ten benchmarks under four profiles."""
    home = tmp_path_factory.mktemp("site")
    make_board(home / "boards", ENTRIES)
    build_site(home / "boards", home / "site")
    return home / "site"


def test_no_page_is_above_a_megabyte_and_the_first_has_the_best_of_each_table(site: Path) -> None:
    assert max(path.stat().st_size for path in site.rglob("*.html")) <= BYTES
    page = checked(site / "many.html")
    assert page.tags.count("tr") <= 2 * FIRST_ROWS
    assert "All 15 entries of this table" in page.words


def test_every_entry_has_a_page_of_its_own_that_says_what_its_rank_means(site: Path) -> None:
    assert len(list((site / "many").glob("entry-*.html"))) == ENTRIES
    page = checked(site / "many" / "entry-run-7.html")
    assert "No test separates it from" in page.words
    assert "lab-7/model-7" in page.words


def test_a_link_to_an_entry_stays_when_others_come(tmp_path: Path) -> None:
    one, *more = made(0, 1, 40)
    folder = board(tmp_path / "a", [one])
    build_site(folder.parent, tmp_path / "one")
    for number, values in enumerate(more, 1):
        (folder / "entries" / f"e{number}.json").write_text(json.dumps(values))
    build_site(folder.parent, tmp_path / "two")
    (name,) = (path.name for path in (tmp_path / "one" / "many").glob("entry-*.html"))
    assert (tmp_path / "two" / "many" / name).is_file()


def test_pages_of_what_is_no_more_are_taken_away_and_others_are_left(tmp_path: Path) -> None:
    folder = board(tmp_path / "a", made(0))
    build_site(folder.parent, tmp_path / "out")
    (tmp_path / "out" / "many" / "notes.txt").write_text("mine")
    (folder / "entries" / "e0.json").unlink()
    build_site(folder.parent, tmp_path / "out")
    assert [path.name for path in (tmp_path / "out" / "many").iterdir()] == ["notes.txt"]


def test_without_a_script_lists_lead_to_one_model_profile_kind_or_month(site: Path) -> None:
    for order in ("benchmark", "model", "date", "tokens", "cost"):
        page = checked(site / "many" / f"list-{order}.html")
        assert page.tags.count("tr") == ENTRIES + 1
    for target in ("profile-profile-1.html", "kind-measured.html", "month-2026-03.html"):
        assert target in page.links
    assert checked(site / "many" / "profile-profile-1.html").tags.count("tr") == ENTRIES // 4 + 1


def test_links_of_all_pages_lead_to_pages(site: Path) -> None:
    pages = [site / "many.html", *(site / "many").glob("list-*.html"), *(site / "many").glob("table-*.html")]
    pages.append(site / "many" / "entry-run-0.html")
    for path in pages:
        for link in checked(path).links:
            assert (path.parent / link.partition("#")[0]).is_file(), f"{path.name}: {link}"


def test_tables_of_one_benchmark_say_what_sets_them_apart(tmp_path: Path) -> None:
    entries = made(1, 1, 1)
    for name, entry in zip(("first", "second", "third"), entries, strict=True):
        entry["recipe"]["name"] = name
    entries[1]["verifiers"] = {"math": "f" * 16}
    entries[2]["benchmark"]["version"] = "1-B"
    (_, column, *_) = read_board(board(tmp_path / "a", entries)).columns
    assert {table.apart for table in column.tables} == {
        "benchmark version 1-A, verifier math 01234567",
        "benchmark version 1-A, verifier math ffffffff",
        "benchmark version 1-B, verifier math 01234567",
    }
    build_site(tmp_path / "a", tmp_path / "out")
    words = checked(tmp_path / "out" / "many.html").words
    assert "3 tables, because only scores that were made under the same conditions compare" in words
    assert "verifier math ffffffff" in words


def test_a_lone_table_has_nothing_to_explain(tmp_path: Path) -> None:
    (column, *_) = read_board(board(tmp_path, made(0))).columns
    assert [table.apart for table in column.tables] == [""]


def test_scores_are_drawn_over_tokens_and_over_cost(tmp_path: Path) -> None:
    entries = made(1, 41)
    (_, column, *_) = read_board(board(tmp_path / "a", entries)).columns
    (table,) = column.tables
    assert [picture.title for picture in table.scatters] == ["tokens per answer", "tokens in all"]
    entries[0]["cost"]["usd"], entries[1]["cost"]["usd"] = 1.5, 0.5
    (_, column, *_) = read_board(board(tmp_path / "b", entries)).columns
    pictures = column.tables[0].scatters
    assert [picture.title for picture in pictures] == ["tokens per answer", "price in dollars"]
    best, other = pictures[0].points
    assert best.y < other.y
    assert (best.x < other.x) == (best.value < other.value)


def test_many_entries_are_ranked_whatever_order_they_come_in() -> None:
    entries = [Entry.model_validate(values) for values in made(*range(1, 40 * (FEW + 5), 40))]
    rows, pairs = rank(entries)
    assert len(pairs) == len(rows) - 1
    scores = [row.entry.score.value for row in rows]
    assert scores == sorted(scores, reverse=True)
    assert all(entries[row.index] == row.entry for row in rows)
    again, _ = rank(entries[::-1])
    assert [(row.label, row.rank, row.tied) for row in again] == [
        (row.label, row.rank, row.tied) for row in rows
    ]


def test_the_normal_form_agrees_with_drawn_sign_flips() -> None:
    rng = np.random.default_rng(3)
    rates = rng.binomial(8, rng.beta(2, 2, size=120), size=(2, 120)) / 8
    rates[1, :60] = rng.binomial(8, 0.6, size=60) / 8
    rates = rates[np.argsort(-rates.sum(axis=1))]
    tested = separate(rates, 960, [[1.0], [1.0]])
    sides = [{str(i): (8 * rate, 8.0) for i, rate in enumerate(row)} for row in rates]
    drawn = compare(sides[1], sides[0])
    assert tested.p[0] == pytest.approx(drawn.p, abs=0.02)
    assert tested.detectable[0] == pytest.approx(drawn.detectable, rel=1e-9)


def test_seeds_that_scatter_are_a_tie_among_many_too() -> None:
    rates = np.vstack([np.full(200, 0.9), np.full(200, 0.5)])
    assert separate(rates, 200, [[0.9], [0.5]]).ahead.tolist() == [0, 1]
    assert separate(rates, 200, [[0.9, 0.91, 0.89], [0.5, 0.51, 0.49]]).ahead.tolist() == [0, 1]
    assert separate(rates, 200, [[0.2, 0.9, 1.0], [0.1, 0.5, 0.9]]).ahead.tolist() == [0, 0]


@pytest.mark.skipif(not CHROMIUM, reason="no chromium")
def test_the_script_filters_by_what_the_address_says(site: Path, tmp_path: Path) -> None:
    dom = subprocess.run(
        [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}", "--dump-dom",
         f"file://{site}/many/list-model.html#text=model-7&profile=profile-3&since=2026-06-01"],
        capture_output=True, text=True, timeout=300, check=True,
    ).stdout  # fmt: skip
    rows = dom.partition("<tbody>")[2].split("<tr ")[1:]
    shown = [row for row in rows if 'hidden=""' not in row.partition(">")[0]]
    assert len(rows) == ENTRIES
    assert f"{len(shown)} of {ENTRIES} entries on this page" in dom
    assert shown
    for row in shown:
        assert "model-7" in row
        assert 'data-profile="profile-3"' in row
        assert row.partition('data-date="')[2][:10] >= "2026-06-01"
