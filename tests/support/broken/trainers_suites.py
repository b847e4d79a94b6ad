"""What the suite of trainers asks about samples and about weights, of each plugin in trainers.py."""

import itertools
import json

import pytest

from harness.testing.trainer_evidence import Evidence
from harness.testing.trainer_failures import Failures
from harness.testing.trainer_samples import Samples


class OfOneCharacter(Evidence, Failures, Samples):
    llama = {"characters": "12", "width": 16, "layers": 1, "heads": 2, "mlp_width": 32}
    model = {"name": "tiny", "prompt": "raw", "loader": {"name": "random-llama", **llama}}
    tasks = [{"name": "jsonl", "path": "tasks.jsonl", "verifier": "exact"}]
    heldout = [{"name": "jsonl", "path": "heldout.jsonl", "verifier": "exact"}]
    max_tokens, n = 6, 16

    @pytest.fixture(autouse=True)
    def problems(self, tmp_path):
        for name, length in (("tasks", 5), ("heldout", 3)):
            words = map("".join, itertools.product("12", repeat=length))
            rows = [json.dumps({"id": word, "problem": word, "answer": word[0]}) for word in words]
            (tmp_path / f"{name}.jsonl").write_text("\n".join(rows) + "\n")


class TestWhole(OfOneCharacter):
    trainer = {"name": "local/Whole"}


class TestBlaming(OfOneCharacter):
    trainer = {"name": "local/Blaming"}


class TestPaying(OfOneCharacter):
    trainer = {"name": "local/Paying"}


class TestDrifting(OfOneCharacter):
    trainer = {"name": "local/Drifting"}


class TestMeasuring(OfOneCharacter):
    trainer = {"name": "local/Measuring"}


class TestRounding(OfOneCharacter):
    trainer = {"name": "local/Rounding"}


class TestTrusting(OfOneCharacter):
    trainer = {"name": "local/Trusting"}
