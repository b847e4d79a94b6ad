"""The trainer `verl` conforms: its driver's side for real, with a stand-in for verl behind the socket.

`test_verl_real.py` runs verl. The same suite on verl itself is some fifty starts of verl, an hour and more on
two cores: `HARNESS_VERL_CONFORMANCE=1 pytest --heavy -n 0 tests/plugins/verl/test_verl_conformance.py`.
"""

from __future__ import annotations

import json
import os
import random
from pathlib import Path

import pytest

from harness.testing import TrainerConformance
from tests.support.verl import stand_in_python


def chains(folder: Path, shortest: int, longest: int) -> None:
    """Chains of so many operations, of two kinds."""
    rng = random.Random(0)
    for name, count in (("train", 40), ("heldout", 6)):
        rows = []
        for i in range(count):
            values, text = [rng.randrange(10)], ""
            text = str(values[0])
            for _ in range(rng.randint(shortest, longest)):
                step = rng.randrange(10)
                sign = rng.choice("+-")
                values.append((values[-1] + (step if sign == "+" else -step)) % 10)
                text += f"{sign}{step}"
            answer = "".join(map(str, values[1:]))
            rows.append(
                {"id": f"{name}-{i}", "problem": f"{text}=", "answer": answer, "kind": f"{1 + i % 2}"}
            )
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


class TestVerl(TrainerConformance):
    trainer = {"name": "verl", "python": "python"}
    model = {"name": "chain-334k", "loader": "packaged", "prompt": "raw"}
    tasks = [{"name": "jsonl", "path": "train.jsonl", "verifier": "exact", "fields": {"tags": ["kind"]}}]
    heldout = [{"name": "jsonl", "path": "heldout.jsonl", "verifier": "exact"}]
    mixture = {"kind=1": 0.5, "kind=2": 0.5}
    max_tokens = 6
    n = 8
    #: A sum of powers of two: the stand-in's weights are then exact.
    lr = 2.0**-10

    @pytest.fixture(autouse=True)
    def interpreter(self, tmp_path: Path) -> None:
        stand_in_python(tmp_path)
        chains(tmp_path, 2, 4)


@pytest.mark.heavy
@pytest.mark.timeout(3600)
@pytest.mark.skipif(
    "HARNESS_VERL_CONFORMANCE" not in os.environ, reason="HARNESS_VERL_CONFORMANCE is not set"
)
class TestVerlItself(TestVerl):
    trainer = {"name": "verl"}
    lr = 3e-4
    max_tokens = 14

    @pytest.fixture(autouse=True)
    def interpreter(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        from tests.support.heavy import environment_python

        monkeypatch.setenv("HARNESS_VERL_PYTHON", environment_python("verl-cpu"))
        # Which the model solves sometimes.
        chains(tmp_path, 7, 10)
