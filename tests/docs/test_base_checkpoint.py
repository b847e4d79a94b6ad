"""The quickstart's base checkpoint is what its card says, and its recipe is the one in the repository."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from harness_torch.publish import MODELS
from harness_transformers.engine import EngineOptions, TransformersEngine
from harness_transformers.weights import describe, weights_sha

from harness.contract.protocols import Policy
from harness.contract.records import PolicyRef, digest
from harness.recipe import load_recipe
from tests.support.live_session import LiveRun, context
from tests.support.places import ROOT

FOLDER = MODELS / "chain-334k"
RECIPE = ROOT / "recipes" / "base" / "2-settle.toml"


@pytest.fixture(scope="module")
def card() -> dict[str, Any]:
    content: dict[str, Any] = json.loads((FOLDER / "card.json").read_text())
    return content


def test_hashes_fit(card: dict[str, Any]) -> None:
    assert weights_sha(FOLDER) == card["weights_sha"]
    file = load_recipe(RECIPE)
    assert (file.recipe.name, digest(file.values)) == (card["recipe"], card["recipe_sha"])
    assert file.recipe.stages[-1].max_steps == card["step"]


def test_size_is_what_it_says() -> None:
    assert (FOLDER / "model.safetensors").stat().st_size < 1_400_000
    assert describe(FOLDER).context_length >= 126


def test_pass_rates_fit(card: dict[str, Any], tmp_path: Path) -> None:
    """Fresh samples of the same held-out problems, within five standard errors of two such counts."""
    strata = ",".join(card["pass_rates"])
    engine = TransformersEngine(EngineOptions(), context(tmp_path))
    files = describe(FOLDER)
    engine.sync_weights(Policy(PolicyRef(weights_sha=files.weights_sha), files))
    measured = LiveRun(tmp_path, strata=strata).pass_rates(engine, per_stratum=64, samples=1)
    for stratum, counts in card["pass_rates"].items():
        rate = counts["passes"] / counts["samples"]
        error = 5 * (max(rate * (1 - rate), 0.01) * (1 / 64 + 1 / counts["samples"])) ** 0.5
        assert measured[stratum] == pytest.approx(rate, abs=error), stratum


def test_frontier_is_where_selection_can_work(card: dict[str, Any]) -> None:
    """Something is easy, something hopeless, and something in between to start from."""
    rates = {int(s): c["passes"] / c["samples"] for s, c in card["pass_rates"].items()}
    assert all(rates[level] > 0.9 for level in range(1, 8))
    assert 0.1 < rates[9] < 0.9
    assert rates[11] < 0.1
    assert rates[13] == rates[14] == 0
