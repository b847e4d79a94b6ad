"""The trainer `torch` and its engine conform, on a Llama of a few hundred weights."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest

from harness.contract.protocols import Policy
from harness.contract.records import PolicyRef
from harness.testing import EngineConformance, TrainerConformance
from harness.testing.plugin import Build

# Two characters besides the special tokens: random weights then solve one-character tasks sometimes.
LLAMA = {"characters": "12", "width": 16, "layers": 1, "heads": 2, "mlp_width": 32, "context_length": 64}


def problems(folder: Path) -> None:
    """Two files of prompts over two characters; the answer is the first character."""
    for name, length in (("train", 5), ("heldout", 3)):
        words = ("".join(letters) for letters in itertools.product("12", repeat=length))
        rows = (
            json.dumps({"id": word, "problem": word, "answer": word[0], "kind": word[0]}) for word in words
        )
        (folder / f"{name}.jsonl").write_text("\n".join(rows) + "\n")


class TinyLlama(TrainerConformance):
    """A trainer of real weights, on a Llama of a few hundred of them."""

    model = {"name": "tiny", "loader": {"name": "random-llama", **LLAMA}, "prompt": "raw"}
    tasks = [{"name": "jsonl", "path": "train.jsonl", "verifier": "exact", "fields": {"tags": ["kind"]}}]
    heldout = [{"name": "jsonl", "path": "heldout.jsonl", "verifier": "exact"}]
    mixture = ("kind=1", "kind=2")
    max_tokens = 6
    n = 16

    @pytest.fixture(autouse=True)
    def problems(self, tmp_path: Path) -> None:
        problems(tmp_path)


class TestTorch(TinyLlama):
    trainer = {"name": "torch"}


class TestTransformersEngine(EngineConformance):
    name = "transformers"
    options = {"prompt": "raw", "device": "cpu"}
    prompts = ["1212", "22", "111222"]

    @pytest.fixture
    def policy(self, harness_build: Build) -> Policy:
        files = harness_build("models", "random-llama", **LLAMA).load()
        return Policy(PolicyRef(weights_sha=files.weights_sha), files)
