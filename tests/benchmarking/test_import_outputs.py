"""`harness score --import`: another tool's answers, matched, judged, or refused by line and field."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.evaluations import evaluate, lines, math500_rows, write_rows

pytest.importorskip("math_verify")

IMPORT = ["score", "-b", "math500", "--profile", "greedy-smoke", "--limit", "4", "--import"]
CUT = "We add the two numbers that are given in the problem and carry the ones over to the"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    write_rows(tmp_path / "data", math500_rows())
    return tmp_path


def outputs(home: Path, rows: list[dict[str, Any]], name: str = "theirs.jsonl") -> str:
    text = "".join(json.dumps(row) + "\n" for row in rows)
    if name.endswith(".gz"):
        (home / name).write_bytes(gzip.compress(text.encode()))
    else:
        (home / name).write_text(text)
    return name


def test_answers_are_found_by_id_position_or_text(home: Path) -> None:
    rows = [
        {"id": "math500-000", "response": "it is \\boxed{0}", "tokens": 7},
        {"index": 1, "responses": ["it is \\boxed{1}", "it is \\boxed{2}"], "gold": "1"},
        {"problem": "What is 2 + 0?", "text": CUT},
        {"task": "math500-003", "prediction": "3", "finish": "stop"},
        {"doc_id": 4, "response": "beyond the limit"},
    ]
    said = evaluate(home, *IMPORT, outputs(home, rows, "theirs.jsonl.gz"), "--samples", "1")
    assert "1 responses have no 'finish' and end in mid-sentence" in said
    samples = {
        s["rollout"]["key"]["task"]: s for s in lines(home / "runs" / "theirs-greedy-smoke-1", "sample")
    }
    assert len(samples) == 4
    assert [samples[f"math500-00{i}"]["verdict"]["status"] for i in range(4)] == [
        "pass",
        "pass",
        "no_answer",
        "pass",
    ]
    assert samples["math500-002"]["rollout"]["finish"] == "length"
    assert samples["math500-000"]["tokens"] == 7
    report = json.loads(evaluate(home, "report", "runs/theirs-greedy-smoke-1", "--json"))
    assert report["benchmarks"]["math500"]["scores"]["truncated"] == 0.25
    assert "imported" in evaluate(
        home, "eval", "--resume", "runs/theirs-greedy-smoke-1", "--samples", "9", code=2
    )
    assert "scoring 1" in evaluate(home, "score", "runs/theirs-greedy-smoke-1", "--set", "extraction=boxed")


def test_an_incomplete_file_has_no_score(home: Path) -> None:
    said = evaluate(home, *IMPORT, outputs(home, [{"index": 0, "prediction": "0"}]), code=1)
    assert "no score for math500: 3 of 4 samples are missing" in said


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"index": 0, "prediction": "0"}, {"prediction": "1"}], "line 2: names no problem"),
        ([{"index": 0}], "line 1: holds no answer"),
        ([{"id": "math500-01", "prediction": "1"}], "did you mean 'math500-001'"),
        ([{"index": 1, "prediction": "1", "gold": "7"}], "field 'gold' is '7', but the answer"),
        ([{"index": 1, "prediction": 1}], "field 'prediction' is not text"),
        ([{"index": 1, "prediction": "1", "finish": "odd"}], "field 'finish' is 'odd'"),
        ([{"index": 1, "prediction": "1", "sample": 0}] * 2, "a second time"),
        ([{"index": 1, "prediction": "1", "tokens": -1}], "field 'tokens' is -1"),
        ([], "holds no answer to this benchmark"),
    ],
)
def test_a_row_that_does_not_fit_is_named_and_nothing_is_made(home: Path, rows: Any, message: str) -> None:
    said = evaluate(home, *IMPORT, outputs(home, rows), code=2)
    assert message in said
    assert not (home / "runs").exists()


def test_rows_of_one_model_are_picked(home: Path) -> None:
    rows = [
        {"model": m, "index": i, "prediction": str(i * n)} for m, n in (("x", 1), ("y", 2)) for i in range(4)
    ]
    name = outputs(home, rows)
    for model, score in (("x", 1.0), ("y", 0.25)):
        evaluate(home, *IMPORT, name, "--where", f"model={model}", "--model", model)
        report = json.loads(evaluate(home, "report", f"runs/{model}-greedy-smoke-1", "--json"))
        assert report["benchmarks"]["math500"]["scores"]["mean"] == score
