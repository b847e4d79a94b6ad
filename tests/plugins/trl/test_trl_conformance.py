"""The trainer `trl` conforms, on a Llama of a few hundred weights."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.testing.trainer_failures import Failures
from harness.testing.trainer_session import SessionUse
from tests.plugins.torch.test_torch_conformance import TinyLlama, problems

pytest.importorskip("trl", reason="needs the extra 'trl'")


class TestTrl(TinyLlama):
    trainer = {"name": "trl"}


class TestTrlGenerating(SessionUse, Failures):
    """With completions from TRL's own `generate`: what depends on who generates."""

    trainer = {"name": "trl", "generate": "trl"}
    model, tasks, heldout = TestTrl.model, TestTrl.tasks, TestTrl.heldout
    max_tokens, n = TestTrl.max_tokens, TestTrl.n

    @pytest.fixture(autouse=True)
    def problems(self, tmp_path: Path) -> None:
        problems(tmp_path)
