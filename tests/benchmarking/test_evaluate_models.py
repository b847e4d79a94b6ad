"""`harness eval` with models: a random one everywhere, a real one where heavy tests run."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from harness.cli.evaluations import UNANSWERED
from tests.support.data import data_folder
from tests.support.evaluations import evaluate, lines, math500_rows, write_rows
from tests.support.runs import harness

pytest.importorskip("math_verify")
pytest.importorskip("torch")

RAW = """\
extends = "greedy-smoke"
name = "raw"
chat = false
[sampling]
temperature = 1.0
max_tokens = 8
[domains.math]
prompt = "{problem}"
"""
TINY = ["eval", "tiny", "--loader", "random-llama", "-b", "math500", "--limit", "4"]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    write_rows(tmp_path / "data", math500_rows())
    (tmp_path / "raw.toml").write_text(RAW)
    return tmp_path


def test_samples_of_a_model_differ_and_repeat(home: Path) -> None:
    for _ in range(2):
        evaluate(home, *TINY, "--profile", "raw.toml", "--samples", "3", "--token-ids")
    one, two = (
        {
            json.dumps(s["rollout"]["key"]): s["rollout"]["completion_ids"]
            for s in lines(home / "runs" / n, "sample")
        }
        for n in ("tiny-raw-1", "tiny-raw-2")
    )
    assert one == two, "the same keys draw the same samples"
    assert len({tuple(ids) for ids in one.values()}) > 6, "every sample has a seed of its own"
    opened = lines(home / "runs" / "tiny-raw-1", "opened")[0]
    assert opened["model"]["context_length"] == 128
    assert re.fullmatch(r"[0-9a-f]{16}", opened["model"]["weights_sha"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--profile", "greedy-smoke"], "uses the chat template, and the model's tokenizer has none"),
        (
            ["--profile", "raw.toml", "--override", "sampling.max_tokens=120"],
            "beyond the model's context of 128",
        ),
    ],
)
def test_what_the_model_cannot_is_refused_before_anything_is_made(
    home: Path, arguments: list[str], message: str
) -> None:
    assert message in evaluate(home, *TINY, *arguments, code=2)
    assert not (home / "runs").exists()


def test_another_models_answers_are_not_gone_on_with(home: Path) -> None:
    evaluate(home, *TINY, "--profile", "raw.toml", "--samples", "1")
    study = home / "runs" / "tiny-raw-1" / "study.json"
    values = json.loads(study.read_text())
    values["asked"]["loader"]["seed"] = 5
    study.write_text(json.dumps(values))
    said = evaluate(home, "eval", "--resume", "runs/tiny-raw-1", "--samples", "2", code=2)
    assert "model.weights_sha" in said


@pytest.mark.heavy
def test_slices_of_real_benchmarks_with_a_real_model(tmp_path: Path) -> None:
    pytest.importorskip("gguf", reason="needs the extra 'gguf'")
    cache = os.environ.get("HARNESS_CACHE") or str(tmp_path / "cache")
    done = harness(
        "eval", "smollm2-135m-instruct", "--loader", "gguf", "-b", "aime24,aime25,math500,gsm8k",
        "--profile", "greedy-smoke", "--limit", "2", "--override", "sampling.max_tokens=96",
        cwd=tmp_path, seconds=1800, HARNESS_CACHE=cache, HARNESS_DATA=str(data_folder()),
    )  # fmt: skip
    # So small a model may answer almost nothing: that is said, and it is no failure.
    assert done.returncode in (0, UNANSWERED), done.stdout + done.stderr
    folder = tmp_path / "runs" / "smollm2-135m-instruct-greedy-smoke-1"
    assert {e["heldout"] for e in lines(folder, "evaluation")} == {"aime24", "aime25", "math500", "gsm8k"}
    assert len(lines(folder, "sample")) == 8
    assert all(sample["tokens"] > 0 and sample["prompt_tokens"] > 20 for sample in lines(folder, "sample"))
