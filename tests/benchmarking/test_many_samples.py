"""What an evaluation's driver holds does not grow with the number of samples."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.benchmarking.lines import Contents
from harness.recording.history import read_history
from harness.recording.ledger import SCHEMA

PROBLEMS = 20
TEXT = "x" * 800


def written(folder: Path, samples: int) -> Path:
    """A ledger of an evaluation inside a run, with so many samples of each problem and its scores."""
    place = {"name": "final", "heldout": "sums", "stage": "", "step": 0}
    path = folder / f"{samples}.jsonl"
    with path.open("w") as file:
        file.write(json.dumps({"t": "opened", "schema": SCHEMA}) + "\n")
        for i in range(PROBLEMS * samples):
            key = {"run": "r", "phase": "eval", "stage": "sums", "step": 0, "task": f"p-{i % PROBLEMS}",
                   "sample": i // PROBLEMS}  # fmt: skip
            rollout = {"key": key, "prompt_ids": [], "completion_ids": [], "text": TEXT, "finish": "stop",
                       "policy": {"weights_sha": "w"}, "sampling": {}}  # fmt: skip
            verdict = {"status": "pass", "score": 1.0, "verifier": "math", "verifier_hash": "h",
                       "extracted": str(i % 7), "reason": "boxed"}  # fmt: skip
            line: dict[str, Any] = {
                "t": "sample",
                **place,
                "rollout": rollout,
                "verdict": verdict,
                "tokens": 5,
            }
            file.write(json.dumps(line) + "\n")
        file.write(json.dumps({"t": "evaluation", **place, "scores": {"pass_rate": 1.0}}) + "\n")
    return path


@pytest.mark.parametrize("read", [Contents, read_history], ids=["an evaluation", "a run"])
@pytest.mark.parametrize("block", [1 << 30, 20_000], ids=["short", "long"])
def test_reading_a_ledger_holds_no_samples(
    read: Callable[[Path], object], block: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.recording.outline.BLOCK", block)

    def peak(samples: int) -> int:
        path = written(tmp_path, samples)
        tracemalloc.start()
        content = read(path)
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert content is not None
        return most

    peak(5)  # What is made once in a process.
    more = PROBLEMS * (200 - 50)
    # Some 20 bytes for each sample, and 300 for each 20 kB that a block covers; a line has 1,200.
    assert peak(200) - peak(50) < more * (20 + 300 * 1200 / 20_000) + 20_000
