"""Boards in the Hub's forms: a data set, `.eval_results`, pushed to a local server, and back."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from harness.board.check import read_entry
from harness.board.dataset import card, read_entries, row_of
from harness.board.site import read_board
from tests.support.evaluations import echo, evaluate, math500_rows, write_rows
from tests.support.hub import Hub, serving

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")
pytest.importorskip("math_verify")
yaml: Any = pytest.importorskip("yaml")

SMOKE = ["--profile", "greedy-smoke"]
SECRET = "s3cr3t-value-of-a-key"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A board with a measured and a rejudged entry, and the evaluation behind each."""
    home = tmp_path_factory.mktemp("export")
    write_rows(home / "data", math500_rows())
    answer = f"<b>&</b> {SECRET} \\boxed{{3}}"
    evaluate(home, "eval", "small/model", "-b", "math500", "--limit", "4", *SMOKE, *echo(answer))
    evaluate(home, "board", "add", "runs/model-greedy-smoke-1", "--board", "b")
    rows = [{"task": f"math500-{i:03d}", "response": f"\\boxed{{{i}}}", "finish": "stop"} for i in range(4)]
    (home / "out.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    evaluate(home, "score", "--import", "out.jsonl", "-b", "math500", "--limit", "4", *SMOKE)
    (home / "source.toml").write_text(
        'title = "A | title"\nurl = "https://example.org/a"\nlicence = "MIT"\nretrieved = 2026-11-30\n'
        'unknown = ["prompt"]\n'
    )
    evaluate(home, "board", "add", "runs/out-greedy-smoke-1", "--board", "b", "--source", "source.toml")
    return home


@pytest.fixture
def home(made: Path, tmp_path: Path) -> Path:
    """The board again, for a test that writes."""
    import shutil

    shutil.copytree(made, tmp_path / "home")
    return tmp_path / "home"


def export(home: Path, *more: str, code: int = 0, **environment: str) -> str:
    return evaluate(
        home, "board", "export", "leaderboards/b", "--out", "out", *more, code=code, **environment
    )


def test_a_board_comes_back_from_its_data_set_as_it_was(home: Path) -> None:
    export(home)
    before = {path.name: read_entry(path) for path in (home / "leaderboards/b/entries").glob("*.json")}
    after = {entry.file_name: entry for entry in read_entries(home / "out")}
    assert after == before
    (home / "leaderboards/c").mkdir()
    (home / "leaderboards/c/board.toml").write_text('title = "C"\n[[columns]]\nbenchmark = "math500"\n')
    evaluate(home, "board", "import", "out", "--board", "c", "--entries")
    board = read_board(home / "leaderboards/c")
    assert (board.measured, board.refused) == (2, [])


def test_the_card_names_its_files_and_what_is_rejudged(home: Path) -> None:
    export(home, "--samples", "runs/model-greedy-smoke-1", "--license", "mit")
    text = (home / "out/README.md").read_text()
    front = yaml.safe_load(text.split("---")[1])
    assert front["license"] == "mit"
    files = {config["config_name"]: config["data_files"] for config in front["configs"]}
    assert files == {"entries": "data/entries.parquet", "samples": "data/samples/*.parquet"}
    assert "[A \\| title](https://example.org/a)" in text
    assert "not known: prompt" in text
    rows = pq.read_table(home / "out/data/samples/model-greedy-smoke-1.parquet").to_pylist()
    assert [row["task"] for row in rows] == [f"math500-{i:03d}" for i in range(4)]
    assert [row["status"] for row in rows] == ["fail", "fail", "fail", "pass"]
    assert "What is" not in json.dumps(rows), "problems are not in it"


def test_exported_samples_confirm_their_entry(home: Path) -> None:
    export(home, "--samples", "runs/model-greedy-smoke-1")
    (entry,) = (home / "leaderboards/b/entries").glob("math500-model-*.json")
    verify = ["board", "verify", str(entry), "--outputs"]
    samples = home / "out/data/samples/model-greedy-smoke-1.parquet"
    assert "confirmed: outcomes and answers of all 4 problems" in evaluate(home, *verify, str(samples))
    rows = pq.read_table(samples).to_pylist()
    rows[3]["response"] = "\\boxed{5}"
    pq.write_table(pa.Table.from_pylist(rows), home / "other.parquet")
    said = evaluate(home, *verify, "other.parquet", code=1)
    assert "math500-003: 1 of 1 pass in the entry, 0 of 1 now; other answers" in said
    (home / "broken.parquet").write_bytes(samples.read_bytes()[:100])
    assert "broken.parquet" in evaluate(home, *verify, "broken.parquet", code=2)


def test_the_data_set_opens_as_the_hub_would_open_it(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = pytest.importorskip("datasets")
    export(home, "--samples", "runs/model-greedy-smoke-1")
    monkeypatch.setenv("HF_HOME", str(home / "hf"))
    where = {"cache_dir": str(home / "arrow")}
    entries = datasets.load_dataset(str(home / "out"), "entries", split="train", **where)
    samples = datasets.load_dataset(str(home / "out"), "samples", split="train", **where)
    assert (len(entries), len(samples)) == (2, 4)


def test_secrets_are_in_no_file_and_a_file_with_one_is_sent_to_nobody(home: Path) -> None:
    export(home, "--samples", "runs/model-greedy-smoke-1", MY_API_KEY=SECRET)
    (path,) = (home / "out/data/samples").glob("*.parquet")
    assert SECRET not in json.dumps(pq.read_table(path).to_pylist())
    (home / "out/note.txt").write_text(SECRET)
    with serving({}) as hub:
        hub.token = "hf_write"
        said = export(
            home, "--push", "me/b", code=2, MY_API_KEY=SECRET, HF_ENDPOINT=hub.url, HF_TOKEN=hub.token
        )
    assert "note.txt: holds a secret" in said
    assert hub.made == {}


def test_samples_of_a_gated_benchmark_are_left_out(home: Path) -> None:
    rows = [
        {"Record ID": f"r{i}", "Question": f"Which, {i}?", "Correct Answer": "four",
         "Incorrect Answer 1": "1", "Incorrect Answer 2": "2", "Incorrect Answer 3": "3"}
        for i in range(198)
    ]  # fmt: skip
    write_rows(home / "data", rows, "gpqa_diamond")
    evaluate(home, "eval", "m", "-b", "gpqa-diamond,math500", "--limit", "3", *SMOKE, *echo("\\boxed{B}"))
    said = export(home, "--samples", "runs/m-greedy-smoke-1")
    assert "left out: samples of gpqa-diamond: its owner gives access only to those who ask" in said
    table = pq.read_table(home / "out/data/samples/m-greedy-smoke-1.parquet").to_pylist()
    assert {row["benchmark"] for row in table} == {"math500"}


# Pushing ------------------------------------------------------------------------------------------------


@pytest.fixture
def hub() -> Any:
    with serving({}) as served:
        served.token = "hf_write"
        yield served


def test_nothing_is_sent_without_the_flag(home: Path, hub: Hub) -> None:
    export(home, HF_ENDPOINT=hub.url, HF_TOKEN=hub.token)
    assert hub.requests == []


@pytest.mark.parametrize(("flags", "private"), [((), True), (("--public",), False)])
def test_a_push_makes_the_data_set_and_sends_all_of_it(
    home: Path, hub: Hub, flags: tuple[str, ...], private: bool
) -> None:
    said = export(
        home, "--push", "me/board", *flags, HF_ENDPOINT=hub.url, HF_TOKEN=hub.token, HF_HOME=str(home / "hf")
    )
    assert f"{hub.url}/datasets/me/board" in said
    assert hub.made == {"me/board": private}
    sent = hub.repositories["me/board"].files
    assert {"README.md", "data/entries.parquet"} <= set(sent)
    assert sent["data/entries.parquet"] == (home / "out/data/entries.parquet").read_bytes()


def test_a_push_that_is_refused_says_what_to_do(home: Path, hub: Hub) -> None:
    said = export(home, "--push", "me/board", code=2, HF_ENDPOINT=hub.url, HF_TOKEN="hf_wrong")
    assert "does not take it" in said
    assert "set HF_TOKEN" in said
    assert "hf_wrong" not in said


# .eval_results --------------------------------------------------------------------------------------------


def test_eval_results_round_trip_as_cited_rows(home: Path) -> None:
    said = export(home, "--eval-results", "--url", "https://example.org/page")
    assert "left out: out-greedy-smoke, math500: its generations are other people's" in said
    (path,) = (home / "out").rglob("*.yaml")
    assert path.parent.name == ".eval_results"
    ((result),) = yaml.safe_load(path.read_text())
    assert result["dataset"] == {"id": "HuggingFaceH4/MATH-500", "task_id": "math500"}
    assert result["value"] == 25.0
    assert result["source"]["url"] == "https://example.org/page"
    assert "rerun interval" in result["notes"]
    evaluate(home, "board", "import", str(path), "--board", "b")
    (reference,) = (home / "leaderboards/b/references").glob("*.toml")
    row = tomllib.loads(reference.read_text())["rows"][0]
    assert row["scores"]["math500"]["value"] == 25.0
    board = read_board(home / "leaderboards/b")
    assert board.cited == 1
    evaluate(home, "board", "build")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("- dataset: {id: cais/hle, task_id: default}\n  value: 3", "no score of the board's benchmarks"),
        ("- value: 3", "not of the Hub's form"),
        ("[", "cannot be read"),
        ("- dataset: {id: HuggingFaceH4/MATH-500, task_id: x}\n  value: 120", "from 0 to 100"),
        ("- dataset: {id: HuggingFaceH4/MATH-500, task_id: x}\n  value: 12", "names no source"),
    ],
)
def test_results_that_do_not_fit_are_refused(home: Path, text: str, said: str) -> None:
    (home / "x.yaml").write_text(text)
    assert said in evaluate(home, "board", "import", "x.yaml", "--board", "b", "--model", "m", code=2)


def test_another_boards_data_set_becomes_cited_rows(home: Path) -> None:
    export(home)
    assert "need their address" in evaluate(home, "board", "import", "out", "--board", "b", code=2)
    evaluate(home, "board", "import", "out", "--board", "b", "--url", "https://example.org/board")
    board = read_board(home / "leaderboards/b")
    assert board.cited == 2
    assert board.measured == 2


def test_a_damaged_data_set_is_refused_with_its_row(home: Path) -> None:
    import pyarrow

    export(home)
    table = pq.read_table(home / "out/data/entries.parquet").to_pylist()
    values = json.loads(table[0]["entry"])
    values["score"]["value"] = 0.9
    table[0]["entry"] = json.dumps(values)
    pq.write_table(pyarrow.Table.from_pylist(table), home / "out/data/entries.parquet")
    said = evaluate(home, "board", "import", "out", "--board", "b", "--entries", code=2)
    assert "row 1" in said
    assert "its problems give" in said


def test_text_of_others_cannot_leave_its_cell(made: Path) -> None:
    (entry,) = (
        entry
        for path in (made / "leaderboards/b/entries").glob("*.json")
        if (entry := read_entry(path)).source is None
    )
    recipe = entry.recipe.model_copy(update={"name": "a|b\n# <script>[x](y)"})
    text = card("T", "", [entry.model_copy(update={"recipe": recipe})], [], "other")
    assert "a\\|b # \\<script\\>\\[x\\](y)" in text
    assert "\n# <script>" not in text
    assert row_of(entry)["score"] == 0.25


def test_a_board_without_a_result_for_a_repository_says_that_nothing_is_written(home: Path) -> None:
    (home / "mine.jsonl").write_text('{"problem": "1+1?", "answer": 2}\n')
    evaluate(home, "eval", "m", "-b", "mine.jsonl", *SMOKE, *echo())
    evaluate(home, "board", "add", "runs/m-greedy-smoke-1", "--board", "mine")
    said = evaluate(
        home, "board", "export", "leaderboards/mine", "--out", "results", "--eval-results", code=2
    )
    assert "benchmark 'mine' is no data set of the Hub" in said
    assert "none of its entries (1) is a result for a model's repository: none is written" in said
    assert not (home / "results").exists()


def test_the_same_answers_by_two_verifiers_are_two_files(home: Path) -> None:
    (path,) = (home / "leaderboards/b/entries").glob("math500-model-*.json")
    values = json.loads(path.read_text())
    other = values | {"verifiers": {"exact": "0" * 16}}
    path.with_name("other.json").write_text(json.dumps(other))
    said = export(home, "--eval-results")
    files = sorted((home / "out").rglob("*.yaml"))
    assert len({file.read_text() for file in files}) == len(files) == 2
    assert "2 files, of 3 entries" in said


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nope", "there is no board 'nope'"),
        ("../b", "'../b' is no board's name"),
        ("..", "is no board's name"),
    ],
)
def test_a_board_is_named_by_a_folder_that_is_there(home: Path, name: str, said: str) -> None:
    export(home)
    before = sorted(home.rglob("*"))
    told = evaluate(home, "board", "import", "out", "--board", name, "--entries", code=2)
    assert said in told
    assert "Errno" not in told
    assert sorted(home.rglob("*")) == before


def test_an_entry_that_names_another_folder_as_its_board_is_not_added(home: Path) -> None:
    (path,) = (home / "leaderboards/b/entries").glob("math500-model-*.json")
    (home / "entry.json").write_text(json.dumps(json.loads(path.read_text()) | {"board": "../elsewhere"}))
    assert "'../elsewhere' is no board's name" in evaluate(home, "board", "add", "entry.json", code=2)
    assert not (home / "elsewhere").exists()
