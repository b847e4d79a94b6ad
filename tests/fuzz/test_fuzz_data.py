"""Rows from files and from the Hub: task sources, the catalogue's readers, labels, parquet."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest
from harness_benchmarks.catalogue import ENTRIES
from harness_benchmarks.readers import with_names
from harness_benchmarks.rows import Found, fingerprint, read_tasks
from harness_tasks.jsonl import Jsonl, JsonlOptions
from harness_tasks.parquet import parquet_rows
from harness_tasks.rows import unpacked
from hypothesis import given
from hypothesis import strategies as st

from harness.contract.errors import RecipeError
from harness.recipe import LabelFile
from harness.recipe.errors import validated
from harness.tasks.labels import load_labels
from tests.support import fuzz
from tests.support.builders import context

ROWS: list[dict[str, Any]] = [
    {"id": "2024-II-4", "ID": "2024-I-4", "problem": "p", "Problem": "p", "answer": "25", "Answer": 25,
    "level": 1,
     "subject": "x"},
    {"question": "q", "answer": "so\n#### 1,234", "solution": "\\boxed{3}", "type": "Algebra (x)"},
    {"question": "q", "final_answer": ["$1$", "2"], "is_multiple_answer": True, "answer_type": "Numerical",
    "unit": "$cm$",
     "context": "c", "error": "1e-1,1e-2", "id": 7, "subfield": "Algebra"},
    {"Record ID": "r", "Question": "q", "Correct Answer": "a", "Incorrect Answer 1": "b",
    "Incorrect Answer 2": "c",
     "Incorrect Answer 3": "d", "High-level domain": "Physics"},
    {"task_id": "HumanEval/0", "prompt": "def f(x):\n", "entry_point": "f",
    "test": "def check(f):\n    assert f(1)",
     "canonical_solution": "    return x", "base_input": [[1]], "plus_input": [[2]], "atol": 0,
     "contract": ""},
    {"task_id": 11, "text": "t", "prompt": "t", "code": "def f(x):\n    return x",
    "test_list": ["assert f(1) == 1"],
     "test_setup_code": "", "test": "assert f(1)", "test_imports": []},
    {"problem_idx": 1, "problem": "p", "answer": "\\frac{1}{2}", "problem_type": ["Algebra"]},
]  # fmt: skip
LABELS: list[dict[str, Any]] = [
    {"id": "a", "pass_rate": 0.5, "passes": 1, "samples": 2, "extra": {"b": 0.1}, "predicted": 0.3},
    {"id": "b", "pass_rate": 1, "passes": 0, "samples": 0, "extra": None, "predicted": None},
]
LABEL_FILES: list[dict[str, Any]] = [
    {"subject": "id"}, {"samples": 8}, {"passes": "passes", "samples_column": "samples"},
    {"extra": {"d": "passes"}},
]  # fmt: skip


def lines(rows: Any) -> bytes:
    return b"".join(fuzz.as_json(row) + b"\n" for row in (rows if isinstance(rows, list) else [rows]))


#: Which benchmarks' rows have which of the forms above.
FORMS = {
    0: ("aime24", "aime25", "amc23", "beyond-aime", "math500"), 1: ("gsm8k", "minerva"),
    2: ("olympiadbench",),
    3: ("gpqa-diamond",), 4: ("humaneval", "humaneval-plus"), 5: ("mbpp", "mbpp-plus"), 6: ("hmmt-feb25",
    "apex25"),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
@fuzz.examples(60)
@given(data=st.data())
def test_rows_of_a_benchmark_are_tasks_or_named(form: int, data: st.DataObject, tmp_path: Path) -> None:
    row = ROWS[form]
    content = data.draw(
        st.one_of(fuzz.mutated([[row], [row] * 2], edits=2).map(lines), fuzz.torn([lines([row])]))
    )
    path = tmp_path / "rows.jsonl"
    path.write_bytes(content)
    name = data.draw(st.sampled_from(FORMS[form]))
    read = with_names(ENTRIES[name].read)
    fuzz.outcome(f"rows {name}", lambda: fingerprint(read_tasks(Found(path, {}), read)), shown=content)


OPTIONS: list[Any] = [
    {"path": "rows.jsonl"}, {"path": "rows.jsonl", "where": {"level": "1|2"},
    "answer_spec": {"tolerance": 0.1}},
    {"path": "rows.jsonl.gz", "fields": {"id": "id", "tags": ["level"], "meta": ["subject"]}, "split": "all"},
]  # fmt: skip


@fuzz.examples(150)
@given(
    content=st.one_of(fuzz.mutated([ROWS[:1], ROWS[:1] * 2], edits=2).map(lines),
    fuzz.torn([lines(ROWS[:1])])),
    options=st.one_of(st.sampled_from(OPTIONS), st.sampled_from(OPTIONS), fuzz.mutated(OPTIONS, edits=1)),
    packed=st.booleans(),
)  # fmt: skip
def test_a_file_of_tasks_is_read_or_refused(
    content: bytes, options: Any, packed: bool, tmp_path: Path
) -> None:
    (tmp_path / "rows.jsonl").write_bytes(content)
    (tmp_path / "rows.jsonl.gz").write_bytes(gzip.compress(content, mtime=0) if packed else content)

    def read() -> Any:
        if not isinstance(options, dict):
            raise RecipeError("options are a table")
        made = context(base=tmp_path, cache=tmp_path / "cache")
        source = Jsonl(validated(JsonlOptions, options, where="test"), made)
        tasks = [source.get(name) for name in source.subjects()]
        return [task.content_hash for task in tasks], source.fingerprint(), source.place(tasks[0].id)

    fuzz.outcome("jsonl", read, shown=(content, options))


@fuzz.examples(200)
@given(
    content=st.one_of(fuzz.mutated([LABELS]).map(lines), fuzz.torn([lines(LABELS)])),
    options=st.sampled_from(LABEL_FILES), end=st.sampled_from((".jsonl", ".jsonl.gz")), packed=st.booleans(),
)  # fmt: skip
def test_labels_are_read_or_refused(
    content: bytes, options: Any, end: str, packed: bool, tmp_path: Path
) -> None:
    path = tmp_path / f"labels{end}"
    path.write_bytes(gzip.compress(content, mtime=0) if packed else content)

    def read() -> Any:
        return load_labels("m", validated(LabelFile, {"path": path.name, **options}, where="test"), tmp_path)

    fuzz.outcome("labels", read, shown=(content, options, end, packed))


@fuzz.examples(100)
@given(
    rows=fuzz.mutated([ROWS[:1], ROWS[2:3], LABELS]), cut=st.integers(0, 4000), whole=st.booleans(),
    labels=st.booleans(),
)  # fmt: skip
def test_rows_of_parquet_are_read_or_refused(
    rows: Any, cut: int, whole: bool, labels: bool, tmp_path: Path
) -> None:
    """Files that pyarrow writes, whole or cut off; what it makes of damaged pages is its own matter."""
    import pyarrow
    import pyarrow.parquet

    path = tmp_path / "rows.parquet"
    try:
        table = pyarrow.Table.from_pylist(
            [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
        )
        pyarrow.parquet.write_table(table, path)
    except (pyarrow.ArrowException, OverflowError, TypeError, ValueError):
        return  # not rows of one table
    if not whole:
        path.write_bytes(path.read_bytes()[:cut])

    def read() -> Any:
        if labels:
            return load_labels("m", validated(LabelFile, {"path": path.name}, where="test"), tmp_path)
        return list(parquet_rows(path)), unpacked(path, tmp_path / "cache").read_bytes()

    fuzz.outcome("parquet", read, shown=(rows, cut, whole, labels))
