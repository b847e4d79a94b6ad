"""The trainer `verl` conforms: its driver's side for real, with a stand-in for verl behind the socket.

`tests/test_verl_real.py` runs verl.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.testing import TrainerConformance
from tests.support.verl import stand_in_python


class TestVerl(TrainerConformance):
    trainer = {"name": "verl", "python": "python"}
    model = {"name": "chain-334k", "loader": "packaged", "prompt": "raw"}
    tasks = [{"name": "arithmetic-chain", "strata": "2-4"}]
    heldout = [{"name": "arithmetic-chain", "strata": "2-3", "split": "heldout"}]
    max_tokens = 6
    n = 8
    #: A sum of powers of two: the stand-in's weights are then exact.
    lr = 2.0**-10

    @pytest.fixture(autouse=True)
    def interpreter(self, tmp_path: Path) -> None:
        stand_in_python(tmp_path)
