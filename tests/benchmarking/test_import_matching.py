"""Which problem a row of another tool's file answers: ids, positions from 0 or 1, golds, one model."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.benchmarking.matching import NAMES, Naming, same_text, survey
from harness.cli import main
from harness.contract.errors import DataError
from harness.contract.records import Message, Task
from tests.support.evaluations import lines, math500_rows, write_rows

pytest.importorskip("math_verify")

Import = Callable[..., tuple[int, str]]
FOLDER = "runs/theirs-greedy-smoke-1"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the benchmark's rows: problem i is right with i, but for number 3: `2,125`."""
    rows = math500_rows()
    rows[3] |= {"answer": "2125", "unique_id": "test/algebra/3.json"}
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HARNESS_DATA", str(write_rows(tmp_path / "data", rows)))
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    return tmp_path


@pytest.fixture
def imported(home: Path, capfd: pytest.CaptureFixture[str]) -> Import:
    """Imports rows; returns exit code and all that was said."""

    def run(rows: list[dict[str, Any]], *more: str) -> tuple[int, str]:
        (home / "theirs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        command = ["score", "--import", "theirs.jsonl", "-b", "math500", "--profile", "greedy-smoke", *more]
        code = main(command)
        said = capfd.readouterr()
        return code, said.out + said.err

    return run


def answered(home: Path) -> dict[str, str]:
    """Problem -> status, of the evaluation that was made."""
    samples = lines(home / FOLDER, "sample")
    return {line["rollout"]["key"]["task"]: line["verdict"]["status"] for line in samples}


# Golds -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("gold", ["2,125", " 2125 ", 2125, 2125.0, "\\boxed{2125}", "\\text{2125}", "$2125$"])
def test_a_gold_that_is_written_otherwise_is_the_same(home: Path, imported: Import, gold: Any) -> None:
    row = {"id": "math500-003", "gold": gold, "response": "\\boxed{2125}"}
    code, said = imported([row], "--limit", "4")
    assert "another benchmark" not in said
    assert code == 1, "three problems of four are missing"
    assert answered(home) == {"math500-003": "pass"}


def test_another_gold_is_refused(home: Path, imported: Import) -> None:
    code, said = imported([{"id": "math500-003", "gold": "2,126", "response": "\\boxed{2125}"}])
    assert code == 2
    assert "field 'gold' is '2,126', but the answer of 'math500-003' is '2125'" in said
    assert not (home / "runs").exists()


# Ids ---------------------------------------------------------------------------------------------


def test_the_data_sets_own_names_are_known(home: Path, imported: Import) -> None:
    imported([{"unique_id": "test/algebra/3.json", "response": "\\boxed{2125}"}], "--limit", "4")
    assert answered(home) == {"math500-003": "pass"}


def test_a_tools_own_ids_are_passed_over_where_there_is_a_position(home: Path, imported: Import) -> None:
    rows = [{"id": f"sample-{i}", "index": i, "response": f"\\boxed{{{i}}}"} for i in range(3)]
    _, said = imported(rows, "--limit", "3")
    assert "column 'id' names none of the benchmark's problems ('sample-0')" in said
    assert set(answered(home).values()) == {"pass"}


def test_ids_beyond_the_limit_are_passed_over_as_positions_are(home: Path, imported: Import) -> None:
    rows = [{"problem_id": f"math500-00{i}", "response": f"\\boxed{{{i}}}"} for i in range(5)]
    assert imported(rows, "--limit", "2")[0] == 0
    assert set(answered(home)) == {"math500-000", "math500-001"}


# Positions ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("column", ["index", "doc_id", "id", "problem_id"])
def test_positions_from_one_are_understood_by_their_golds(home: Path, imported: Import, column: str) -> None:
    rows = [{column: i + 1, "gold": str(i), "response": f"\\boxed{{{i}}}"} for i in range(3)]
    code, said = imported(rows, "--limit", "3")
    assert f"column '{column}' counts problems from 1" in said
    assert code == 0
    assert set(answered(home).values()) == {"pass"}


def test_positions_from_one_are_understood_by_their_problems_or_their_number() -> None:
    tasks = problems(6)
    texts = [{"index": i + 1, "problem": f"What is {i}?", "response": "x"} for i in (0, 4)]
    assert survey(texts, tasks, same_text, "file").first == 1
    assert survey([{"index": i + 1} for i in range(6)], tasks, same_text, "file").first == 1
    assert survey([{"index": i} for i in range(6)], tasks, same_text, "file").first == 0


def test_it_is_asked_where_nothing_shows_the_first(home: Path, imported: Import) -> None:
    rows = [{"index": i + 1, "response": f"\\boxed{{{i}}}"} for i in range(3)]
    code, said = imported(rows, "--limit", "3")
    assert code == 2
    assert "column 'index' runs from 1 to 3" in said
    assert "--first-index 1 if the first" in said
    assert imported(rows, "--limit", "3", "--first-index", "1")[0] == 0
    assert set(answered(home).values()) == {"pass"}


@given(st.lists(st.integers(0, 19), min_size=1, unique=True), st.sampled_from([0, 1]))
def test_golds_decide_where_positions_begin(chosen: list[int], first: int) -> None:
    rows = [{"index": i + first, "gold": str(i)} for i in chosen]
    assert survey(rows, problems(20), same_text, "file") in (
        Naming(first=first),
        Naming(first=1, notes=("column 'index' counts problems from 1, so 1 is taken for the first",)),
    )
    assert survey(rows, problems(20), same_text, "file").first == first


# Models ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("column", ["model", "model_name"])
def test_the_answers_of_several_models_are_not_pooled(home: Path, imported: Import, column: str) -> None:
    rows = [{column: m, "index": i, "response": f"\\boxed{{{i}}}"} for m in ("x", "y/z") for i in range(2)]
    code, said = imported(rows, "--limit", "2")
    assert code == 2
    assert f"column '{column}' names 2 models" in said
    assert f"--where {column}=" in said
    assert not (home / "runs").exists()
    assert imported(rows, "--limit", "2", "--where", f"{column}=y/z")[0] == 0
    folder = home / "runs" / "z-greedy-smoke-1"
    assert len(lines(folder, "sample")) == 2
    assert lines(folder, "opened")[0]["model"]["name"] == "y/z", "the model has its own name"


def test_a_name_of_two_problems_names_none() -> None:
    naming = survey([{"id": "twin", "index": 1, "gold": "1"}], problems(2, ("twin",)), same_text, "file")
    assert naming.ids == frozenset()
    assert naming.first == 0


def test_a_file_of_one_model_is_that_models() -> None:
    survey([{"model": "x"}, {"model": "x"}, {"model": None}], problems(2), same_text, "file")
    with pytest.raises(DataError, match="names 3 models"):
        survey([{"model": m} for m in "xyz"], problems(2), same_text, "file")


def problems(count: int, names: tuple[str, ...] = ()) -> list[Task]:
    """Problem i asks for i."""
    return [
        Task(id=f"p-{i}", prompt=(Message("user", f"What is {i}?"),), verifier="", answer=str(i),
             meta={NAMES: names})
        for i in range(count)
    ]  # fmt: skip
