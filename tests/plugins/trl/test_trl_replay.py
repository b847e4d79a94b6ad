"""Replayed groups under TRL: the update is the reference trainer's, gradient for gradient."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.contract.errors import TrainingError
from harness.plugging.plugins import load
from harness.recipe import Conventions, Stage
from harness.testing.stand_ins import AGAIN, offer
from tests.support.places import ROOT

torch = pytest.importorskip("torch")
pytest.importorskip("trl")

STAGE = {"curriculum": AGAIN, "replay": {"keep": 16}, "lr": 1e-3}


@pytest.mark.parametrize("normalise", ["token", "sequence"])
def test_replayed_groups_weigh_as_under_torch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, normalise: str
) -> None:
    """The stored log-probabilities are those of earlier weights, so that the ratio matters: at this learning
    rate, taking it for 1 would move the gradient by far more than the rounding that is allowed."""
    monkeypatch.syspath_prepend(str(ROOT / "bench"))
    import parity

    plugins = load()
    offer(plugins)
    monkeypatch.setitem(parity.SETTINGS, "replayed", ({"normalise": normalise}, STAGE))
    reference = parity.run("torch", "replayed", tmp_path, plugins)
    own = parity.run("trl", "replayed", tmp_path, plugins, reference)
    replayed = [g for g in own.groups if any(sample.replayed for sample in g.samples)]
    assert {group.step for group in replayed} >= {3}, "an older policy's groups come back"
    assert len(own.gradients) == len(reference.gradients) == 3
    for step, (one, other) in enumerate(zip(own.gradients, reference.gradients, strict=True), 1):
        apart = float((one - other).norm() / other.norm())
        assert apart < (parity.GRADIENT if step == 1 else parity.GRADIENT_AFTER_A_STEP), (step, apart)


@pytest.mark.parametrize("options", [{"generate": "trl"}, {"grpo": {"use_liger_kernel": True}}])
def test_what_trl_cannot_weight_is_refused(options: dict[str, Any]) -> None:
    from harness_trl.arguments import arguments
    from harness_trl.options import TrlOptions

    stage = Stage.model_validate({"name": "s", "replay": {"keep": 4}})
    with pytest.raises(TrainingError, match="cannot weight replayed completions"):
        arguments(
            stage, Conventions(), TrlOptions.model_validate(options), folder=Path(), seed=0, precision="fp32",
            cpu=True,
        )  # fmt: skip
