"""The trainer `trl` conforms, on a Llama of a few hundred weights."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.testing import TrainerConformance
from harness.testing.trainer_failures import Failures
from harness.testing.trainer_session import SessionUse
from tests.test_torch_conformance import LLAMA, problems

pytest.importorskip("trl", reason="needs the extra 'trl'")


class TestTrl(TrainerConformance):
    trainer = {"name": "trl"}
    model = {"name": "tiny", "loader": {"name": "random-llama", **LLAMA}, "prompt": "raw"}
    tasks = [{"name": "jsonl", "path": "train.jsonl", "verifier": "exact", "fields": {"tags": ["kind"]}}]
    heldout = [{"name": "jsonl", "path": "heldout.jsonl", "verifier": "exact"}]
    mixture = ("kind=1", "kind=2")
    max_tokens = 6
    n = 16

    @pytest.fixture(autouse=True)
    def problems(self, tmp_path: Path) -> None:
        problems(tmp_path)


class TestTrlGenerating(SessionUse, Failures):
    """With completions from TRL's own `generate`: what depends on who generates."""

    trainer = {"name": "trl", "generate": "trl"}
    model, tasks, heldout = TestTrl.model, TestTrl.tasks, TestTrl.heldout
    max_tokens, n = TestTrl.max_tokens, TestTrl.n

    @pytest.fixture(autouse=True)
    def problems(self, tmp_path: Path) -> None:
        problems(tmp_path)
