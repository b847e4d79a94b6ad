"""The trainer `trl` conforms, on a Llama of a few hundred weights."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.testing import TrainerConformance
from tests.test_torch_conformance import LLAMA, problems

pytest.importorskip("trl", reason="needs the extra 'trl'")


class TestTrl(TrainerConformance):
    trainer = {"name": "trl"}
    model = {"name": "tiny", "loader": {"name": "random-llama", **LLAMA}, "prompt": "raw"}
    tasks = [{"name": "jsonl", "path": "train.jsonl", "verifier": "exact"}]
    heldout = [{"name": "jsonl", "path": "heldout.jsonl", "verifier": "exact"}]
    max_tokens = 6
    n = 16

    @pytest.fixture(autouse=True)
    def problems(self, tmp_path: Path) -> None:
        problems(tmp_path)


class TestTrlGenerating(TestTrl):
    """With completions from TRL's own `generate`."""

    trainer = {"name": "trl", "generate": "trl"}
