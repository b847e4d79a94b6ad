"""Trainers agree on the same rollouts, and docs/reference/backends.md says so."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from harness.recording import ledger
from tests.support.places import ROOT
from tests.support.recipes import write
from tests.support.runs import make_study, start_arm

pytest.importorskip("trl", reason="needs the extra 'trl'")
sys.path.insert(0, str(ROOT / "bench"))

#: Half of stratum 9 is solved: a first step that learns something.
RECIPE = """
name = "kept"
trainer = "trl"
[model]
name = "chain-334k"
loader = "packaged"
prompt = "raw"
[tasks]
train = [{ name = "arithmetic-chain", strata = "9" }]
[checkpoints]
min_free_gb = 0.0
[report]
reporters = []
[[stages]]
name = "one"
rollout = { n = 8, batch = 6, max_tokens = 16 }
loss = { entropy = 0.001 }
optimizer = { lr = 1e-4 }
max_steps = 2
"""


def test_the_page_is_what_the_code_says_now_and_no_setting_disagrees() -> None:
    done = subprocess.run(
        [sys.executable, "docs/make/backends.py", "--check"],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=850,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    page = (ROOT / "docs" / "reference" / "backends.md").read_text()
    assert "**" not in page.partition("| setting |")[2].partition("\n\n")[0]
    assert page.count("| `trl` |") >= 11


def test_a_run_that_is_kept_is_set_beside_the_reference_on_its_own_rollouts(tmp_path: Path) -> None:
    """What `docs/make/backends.py --record` does with a run of another environment, tried on one of this."""
    import parity

    from harness.plugging.plugins import load

    path = write(tmp_path, RECIPE)
    study = make_study(path, tmp_path / "runs").folder
    assert start_arm(study).wait(timeout=300) == 0, (study / "main/seed-0/log.txt").read_text()
    run = study / "main" / "seed-0"
    own, reference = parity.replayed(run, tmp_path / "again", load())
    recorded = next(line for line in ledger.read(run / "ledger.jsonl") if line["t"] == "step")
    assert own.loss == recorded["metrics"]["loss"]
    assert reference.reward_mean == own.reward_mean > 0
    assert reference.loss == pytest.approx(own.loss, rel=1e-4, abs=1e-6)
    assert reference.grad_norm == pytest.approx(own.grad_norm, rel=1e-4)
