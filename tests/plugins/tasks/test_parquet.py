"""Parquet rows are the rows that a person would have written as JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from harness_benchmarks.verl_data import VerlData, VerlDataOptions
from harness_tasks.jsonl import Jsonl, JsonlOptions
from harness_tasks.parquet import parquet_rows

from harness.contract.errors import DataError
from harness.recipe.errors import validated
from tests.support.builders import context

pyarrow = pytest.importorskip("pyarrow", reason="reading parquet needs pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")


def written(folder: Path, **columns: Any) -> Path:
    path = folder / "set.parquet"
    parquet.write_table(pyarrow.table(columns), path)
    return path


def column(values: list[Any], kind: Any) -> Any:
    return pyarrow.array(values, kind)


def as_json(values: list[Any]) -> Any:
    return pyarrow.ExtensionArray.from_storage(
        pyarrow.json_(), pyarrow.array([json.dumps(value) for value in values])
    )


ANSWERS = [
    "\\frac{1}{2}", "x=1", "17", "007", 17, 1.5, ["1", "2"], "true", "null", "a\nb", "", "é\u2028",
    {"target": 4}, None, True,
]  # fmt: skip


@pytest.mark.parametrize("answer", ANSWERS)
def test_a_column_of_json_holds_values_and_not_their_text(tmp_path: Path, answer: Any) -> None:
    path = written(tmp_path, id=["a", "b"], answer=as_json([answer, "other"]))
    assert next(parquet_rows(path)) == {"id": "a", "answer": answer}


def test_json_inside_objects_and_lists_is_read_too(tmp_path: Path) -> None:
    model = pyarrow.StructArray.from_arrays(
        [as_json([["42"]]), column(["rule"], "string")], ["truth", "style"]
    )
    listed = pyarrow.ListArray.from_arrays([0, 2], as_json([1, "x"]))
    (row,) = parquet_rows(written(tmp_path, model=model, listed=listed))
    assert row == {"model": {"truth": ["42"], "style": "rule"}, "listed": [1, "x"]}


def test_what_datasets_writes_for_mixed_columns_is_what_the_rows_said(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets", minversion="4.7")
    rows = [
        {"id": "a", "problem": "8+9=", "answer": 17},
        {"id": "b", "problem": "half?", "answer": "\\frac{1}{2}"},
        {"id": "c", "problem": "roots?", "answer": ["1", "2"]},
    ]
    made = datasets.Dataset.from_list(rows, on_mixed_types="use_json")
    made.to_parquet(tmp_path / "set.parquet")
    assert [row["answer"] for row in parquet_rows(tmp_path / "set.parquet")] == [
        17,
        "\\frac{1}{2}",
        ["1", "2"],
    ]


@pytest.mark.parametrize("kind", ["binary", "large_binary", "fixed", "binary_view"])
@pytest.mark.parametrize("text", ["42", "\\frac{1}{2}", "é\u2028", "4\n"])
def test_binary_text_is_text(tmp_path: Path, kind: str, text: str) -> None:
    data = text.encode()
    made = pyarrow.binary(len(data)) if kind == "fixed" else getattr(pyarrow, kind)()
    (row,) = parquet_rows(written(tmp_path, answer=column([data], made)))
    assert row == {"answer": text}


def test_bytes_that_are_no_text_are_refused_by_column_and_row(tmp_path: Path) -> None:
    path = written(tmp_path, answer=column([b"42", b"\xff\xfe"], pyarrow.binary()))
    with pytest.raises(DataError, match=r"set\.parquet:2:answer: holds bytes that are no UTF-8 text"):
        list(parquet_rows(path))


def test_pictures_inside_objects_are_left_out(tmp_path: Path) -> None:
    picture = [{"bytes": b"\xff\xd8", "path": "a.jpg"}]
    (row,) = parquet_rows(written(tmp_path, image=picture, answer=["4"]))
    assert row == {"image": {"bytes": None, "path": "a.jpg"}, "answer": "4"}


@pytest.mark.parametrize(
    ("made", "value"),
    [
        (lambda: pyarrow.array(["4"], pyarrow.large_string()), "4"),
        (lambda: pyarrow.array([4], pyarrow.int64()), 4),
        (lambda: pyarrow.array([[b"4", None]], pyarrow.list_(pyarrow.binary())), ["4", None]),
        (lambda: pyarrow.array([[["4"]]]), [["4"]]),
        (lambda: pyarrow.array(["4"]).dictionary_encode(), "4"),
        (lambda: pyarrow.array([b"4"]).dictionary_encode(), "4"),
        (lambda: pyarrow.array([[("a", 1)]], pyarrow.map_("string", "int64")), {"a": 1}),
        (lambda: pyarrow.array([None], pyarrow.binary()), None),
        (lambda: pyarrow.array([{"a": b"x"}]), {"a": "x"}),
        (lambda: pyarrow.array([True]), True),
    ],
)
def test_other_columns(tmp_path: Path, made: Any, value: Any) -> None:
    (row,) = parquet_rows(written(tmp_path, answer=made()))
    assert row == {"answer": value}


def test_sources_see_the_values(tmp_path: Path) -> None:
    path = written(tmp_path, id=["a"], problem=["half?"], answer=as_json(["\\frac{1}{2}"]))
    options = validated(JsonlOptions, {"path": str(path)}, where="test")
    made = Jsonl(options, context(cache=tmp_path))
    assert made.draw("set/a", 0).answer == "\\frac{1}{2}"
    assert made.place("set/a") == f"{path}:1:answer"
    model = pyarrow.StructArray.from_arrays([as_json([["42", "forty-two"]])], ["ground_truth"])
    path = written(
        tmp_path, ability=["math"], reward_model=model, prompt=[[{"role": "user", "content": "40+2?"}]]
    )
    verl = VerlData(
        validated(VerlDataOptions, {"path": str(path)}, where="test"), context(cache=tmp_path / "v")
    )
    assert verl.draw("set/1", 0).answer == ["42", "forty-two"]
    assert verl.place("set/1") == f"{path}:1:reward_model.ground_truth"
