"""CRUXEval-O in its public form: reading it, and judging as its authors' script does."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from harness.contract import DataError

from harness_codethinker.literal import NOTHING, read, stated

Build = Callable[..., Any]
ROWS = [
    {"code": "def f(x):\n    return x + 1", "input": "3", "output": "4", "id": "sample_0"},
    {"code": "def f(x):\n    return [x]", "input": "'a'", "output": "['a']", "id": "sample_1"},
]
NAME = "staged-harness-codethinker/cruxeval-o"


def test_items_are_read_in_their_order(harness_build: Build, tmp_path: Path) -> None:
    path = tmp_path / "cruxeval.jsonl"
    path.write_text("\n".join(map(json.dumps, ROWS)) + "\n", encoding="utf-8")
    benchmark = harness_build("benchmarks", NAME, path=str(path))
    assert [(task.id, task.answer) for task in benchmark.tasks()] == [
        ("sample_0", "4"),
        ("sample_1", "['a']"),
    ]
    assert benchmark.tasks()[0].prompt[-1].content.endswith("assert f(3) == ")
    assert benchmark.origin["sha"]


def test_a_file_that_is_not_there_says_where_to_get_it(harness_build: Build, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="facebookresearch/cruxeval"):
        harness_build("benchmarks", NAME, path=str(tmp_path / "none.jsonl"))


def test_a_row_that_does_not_fit_is_named(harness_build: Build, tmp_path: Path) -> None:
    path = tmp_path / "cruxeval.jsonl"
    path.write_text(json.dumps(ROWS[0]) + "\n" + json.dumps({"code": "def f(): pass"}) + "\n")
    with pytest.raises(DataError, match="line 2"):
        harness_build("benchmarks", NAME, path=str(path)).tasks()


@pytest.mark.skipif(
    "CRUXEVAL" not in os.environ,
    reason="CRUXEVAL names no checkout of github.com/facebookresearch/cruxeval",
)
def test_the_authors_own_scores_are_reproduced() -> None:
    """8,000 completions of CodeLlama-7B with the scores that CRUXEval's script gave them."""
    root = Path(os.environ["CRUXEVAL"])
    name = "sample_codellama-7b_temp0.2_output"
    lines = (root / "data" / "cruxeval.jsonl").read_text(encoding="utf-8").splitlines()
    golds = {row["id"]: read(row["output"]) for row in map(json.loads, lines)}
    said = json.loads((root / "samples" / "model_generations" / name / "generations.json").read_text())
    scored = json.loads(
        (root / "samples" / "evaluation_results" / f"sample_scored_{name[7:]}.json").read_text()
    )
    pairs = 0
    for item, texts in said.items():
        for text, score in zip(texts, scored["raw_scored_generations"][item], strict=True):
            value = read(stated(text))
            assert (value is not NOTHING and value == golds[item]) == bool(score), (item, text)
            pairs += 1
    assert pairs == 8_000
