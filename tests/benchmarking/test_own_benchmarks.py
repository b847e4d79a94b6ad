"""A benchmark without code: a file of rows, or a TOML file, through eval, score, compare and the board."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from harness_benchmarks.own import OwnBenchmark, OwnOptions, read_definition

from harness.contract import DataError, RecipeError
from tests.support import builders
from tests.support.evaluations import echo, evaluate, lines, report
from tests.support.hub import data_set, serving

pytest.importorskip("math_verify")

SMOKE = ["--profile", "greedy-smoke"]
ROWS: list[dict[str, Any]] = [
    {"id": "a", "problem": "1+1?", "answer": 2, "topic": "sums"},
    {"id": "b", "problem": "2+1?", "answer": "3", "topic": "sums"},
    {"id": "c", "problem": "2*3?", "answer": "\\frac{12}{2}", "topic": "products"},
]


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    write(tmp_path / "mine.jsonl", ROWS)
    (tmp_path / "judged.toml").write_text(
        'path = "mine.jsonl"\nverifier = "last-number"\nfields = { tags = ["topic"] }\n'
        '[errata.wording]\nb = "says too little"\n'
    )
    return tmp_path


def built(path: Path, tmp_path: Path) -> OwnBenchmark:
    return OwnBenchmark(OwnOptions(file=str(path)), builders.context(cache=tmp_path / "cache"))


def test_a_file_is_a_benchmark_from_evaluation_to_board(home: Path) -> None:
    said = evaluate(home, "eval", "m", "-b", "mine.jsonl", "--samples", "2", *SMOKE, *echo())
    assert "mine       3         avg@2   33.3" in said
    evaluate(home, "eval", "n", "-b", "mine.jsonl", "--samples", "2", *SMOKE, *echo("\\boxed{6}"))
    assert "B minus A +0.0 points" in evaluate(
        home, "compare", "runs/m-greedy-smoke-1", "runs/n-greedy-smoke-1"
    )
    evaluate(home, "score", "runs/m-greedy-smoke-1", "--set", "library=false")
    evaluate(home, "board", "add", "runs/m-greedy-smoke-1", "--board", "ours")
    (entry,) = (home / "leaderboards" / "ours" / "entries").glob("*.json")
    values = json.loads(entry.read_text())
    version = lines(home / "runs" / "m-greedy-smoke-1", "opened")[0]["benchmarks"]["mine"]
    assert (values["benchmark"]["name"], values["benchmark"]["version"]) == ("mine", version)
    evaluate(home, "board", "build")


def test_where_its_rows_are_is_the_files_matter(home: Path) -> None:
    asked = ["eval", "m", "-b", "mine.jsonl,math500", "--source", "local", *SMOKE, *echo()]
    assert "mine.jsonl says itself where its rows are" in evaluate(home, *asked, code=2)
    assert not (home / "runs").exists()


def test_a_verifier_that_there_is_not_is_named_with_its_file(home: Path) -> None:
    (home / "typo.toml").write_text('path = "mine.jsonl"\nverifier = "mtah"\n')
    said = evaluate(home, "eval", "m", "-b", "typo.toml", *SMOKE, *echo(), code=2)
    assert f"{home / 'typo.toml'}, verifier: nothing of kind 'verifiers' is named 'mtah'" in said
    assert "did you mean 'math'?" in said


def test_another_tools_answers_to_it_are_taken_in(home: Path) -> None:
    write(home / "out.jsonl", [{"id": name, "response": "\\boxed{3}"} for name in "abc"])
    said = evaluate(home, "score", "--import", "out.jsonl", "-b", "mine.jsonl", *SMOKE)
    assert "33.3" in said


def test_a_description_names_verifier_tags_and_errata(home: Path) -> None:
    evaluate(home, "eval", "m", "-b", "judged.toml", *SMOKE, *echo())
    (sample, *_) = lines(home / "runs" / "m-greedy-smoke-1", "sample")
    assert sample["verdict"]["verifier"] == "last-number"
    groups = report(home, "runs/m-greedy-smoke-1")["benchmarks"]["judged"]["groups"]
    assert set(groups) == {"topic=sums", "topic=products", "errata=wording", "errata=none"}
    assert groups["errata=wording"]["passes"] == 1


def test_a_changed_file_is_another_benchmark(home: Path) -> None:
    arguments = ["eval", "m", "-b", "mine.jsonl", *SMOKE, *echo()]
    evaluate(home, *arguments)
    write(home / "mine.jsonl", [*ROWS[:2], {**ROWS[2], "answer": "7"}])
    said = evaluate(home, "eval", "--resume", "runs/m-greedy-smoke-1", code=2)
    assert "benchmarks.mine: was" in said
    evaluate(home, *arguments)
    said = evaluate(home, "compare", "runs/m-greedy-smoke-1", "runs/m-greedy-smoke-2", code=2)
    assert "their version differ" in said


def test_the_profiles_options_reach_the_benchmarks_own_verifier(home: Path) -> None:
    (home / "boxes.toml").write_text(
        'path = "mine.jsonl"\nverifier = { name = "math", extraction = "boxed" }\n'
    )
    evaluate(home, "eval", "m", "-b", "boxes.toml", *SMOKE, *echo("The answer is 3."), code=3)
    (scoring,) = lines(home / "runs" / "m-greedy-smoke-1", "evaluation")
    assert scoring["scores"]["no_answer"] == 1.0
    said = evaluate(home, "eval", "m", "-b", "boxes.toml,mine.jsonl", *SMOKE, *echo(), code=2)
    assert "are judged by 'math' with other options" in said
    assert "evaluate them in two calls" in said


@pytest.mark.parametrize(
    ("column", "other"),
    [("problem", "question"), ("problem", "Problem"), ("problem", "probelm"), ("answer", "gold"),
     ("answer", "answers")],
)  # fmt: skip
def test_a_near_miss_in_a_columns_name_is_named(column: str, other: str, tmp_path: Path) -> None:
    rows = [{other if key == column else key: value for key, value in row.items()} for row in ROWS]
    with pytest.raises(DataError) as caught:
        built(write(tmp_path / "own.jsonl", rows), tmp_path)
    assert f"own.jsonl:1:{column}: is missing; did you mean {other!r}?" in str(caught.value)
    assert f'fields = {{ {column} = "{other}" }}' in str(caught.value)
    (tmp_path / "own.toml").write_text(f'path = "own.jsonl"\nfields = {{ {column} = "{other}" }}\n')
    assert len(built(tmp_path / "own.toml", tmp_path).tasks()) == 3


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("pth = 'x'", "did you mean 'path'"),
        ("repo = 'a/b'", "needs its split"),
        ("domain = 'math'", "give path or repo"),
        ("path = 'mine.jsonl'\nrepo = 'a/b'\nsplit = 'test'", "give path or repo"),
        ("= 3", "not TOML"),
    ],
)
def test_a_description_that_does_not_fit_is_refused(home: Path, text: str, said: str) -> None:
    (home / "own.toml").write_text(text)
    with pytest.raises(RecipeError, match=said):
        read_definition(home / "own.toml")


@pytest.mark.parametrize(
    ("argument", "said"),
    [("none.jsonl", "there is no such file"), ("math500.jsonl", "is the name of a benchmark"),
     ("a/x.jsonl,b/x.jsonl", "two benchmarks are named 'x'"), ("x@y.jsonl", "holds a '@'"),
     ("folder.jsonl", "is a folder, not a file"), ("mine.csv", "a file of another kind"),
     ("a/x.jsonl@part", "a file has no parts"), ("own", "is named by its file")],
)  # fmt: skip
def test_a_file_whose_name_cannot_be_a_benchmarks_is_refused(home: Path, argument: str, said: str) -> None:
    for name in ("a", "b"):
        (home / name).mkdir()
        write(home / name / "x.jsonl", ROWS)
    write(home / "math500.jsonl", ROWS)
    write(home / "x@y.jsonl", ROWS)
    (home / "folder.jsonl").mkdir()
    (home / "mine.csv").write_text("problem,answer\n")
    assert said in evaluate(home, "eval", "m", "-b", argument, *SMOKE, *echo(), code=2)


def test_an_erratum_must_name_a_problem(home: Path) -> None:
    (home / "own.toml").write_text('path = "mine.jsonl"\n[errata.wording]\nz = "?"\n')
    with pytest.raises(DataError, match="no problem is named 'z'"):
        built(home / "own.toml", home)


def test_the_version_follows_content_and_judging_and_nothing_else(home: Path) -> None:
    base = built(home / "mine.jsonl", home).version
    changes = {
        "same": 'path = "mine.jsonl"\nabout = "words"\nfields = { tags = ["topic"] }\n',
        "verifier": 'path = "mine.jsonl"\nverifier = "exact"\n',
        "spec": 'path = "mine.jsonl"\nanswer_spec = { tolerance = 0.1 }\n',
    }
    versions = {}
    for name, text in changes.items():
        (home / f"{name}.toml").write_text(text)
        versions[name] = built(home / f"{name}.toml", home).version
    assert versions["same"] == base
    assert len({base, *versions.values()}) == 3


def test_rows_without_an_id_are_numbered(tmp_path: Path) -> None:
    rows = [{key: value for key, value in row.items() if key != "id"} for row in ROWS]
    tasks = built(write(tmp_path / "own.jsonl", rows), tmp_path).tasks()
    assert [task.id for task in tasks] == ["own-0001", "own-0002", "own-0003"]


def test_a_data_set_of_the_hub_is_a_benchmark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("datasets")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    (tmp_path / "own.toml").write_text(
        f'repo = "someone/sums"\nsplit = "test"\nrevision = "{"c" * 40}"\n'
        'fields = { problem = "q", answer = "a", id = "n" }\n'
    )
    rows: list[dict[str, object]] = [{"q": "1 + 1?", "a": "2", "n": "x1"}]
    with serving({"someone/sums": data_set("test", rows, commit="c" * 40)}) as served:
        monkeypatch.setenv("HF_ENDPOINT", served.url)
        made = built(tmp_path / "own.toml", tmp_path)
    assert made.origin["revision"] == "c" * 40
    assert [(task.id, task.answer) for task in made.tasks()] == [("x1", "2")]
