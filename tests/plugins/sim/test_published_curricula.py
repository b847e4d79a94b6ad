"""The published curricula in whole simulated runs: killed and resumed, gated, and what they save."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.plugging.plugins import load
from harness.testing import Recorded, Workbench
from tests.plugins.sim.test_selection_policies import curve, recipe, rollouts_to, timeless

ALL: dict[str, Any] = {
    "adarft": "adarft",
    "sec": "sec",
    "dump": {"name": "dump", "levels": 8},
    "e2h-cosine": {"name": "e2h-cosine", "steps": 30},
    "e2h-gaussian": {"name": "e2h-gaussian", "steps": 30},
    "greso": "greso",
    "mopps": {"name": "mopps", "neighbours": 0.25},
    "vcrl": "vcrl",
    "prompt-replay": "prompt-replay",
    "speed": "speed",
    "pilot-commit": "pilot-commit",
    "knapsack": "knapsack",
    "reinforce-ada": "reinforce-ada",
    "dars": "dars",
    "hora": "hora",
    "learnability-pilot": "learnability-pilot",
}


@pytest.mark.parametrize("name", ALL)
def test_a_broken_run_goes_on_to_the_same_numbers(tmp_path: Path, name: str) -> None:
    bench = Workbench(tmp_path, load())
    values = recipe(
        {"curriculum": ALL[name]},
        0,
        budget={"rollouts": 8_000},
        checkpoints={"every_steps": 5, "min_free_gb": 0.05},
    )
    whole = bench.run(values, "whole")
    assert bench.run(values, "broken", crash_after=8).crashed
    bench.run(values, "broken")
    broken = Recorded(tmp_path / "broken")
    assert list(map(timeless, broken.lines("group"))) == list(map(timeless, whole.lines("group")))
    assert curve(broken) == curve(whole)
    assert whole.lines("step")[-1]["spent_rollouts"] <= 8_000


@pytest.mark.parametrize("name", ["speed", "pilot-commit", "vcrl"])
def test_a_gate_fills_the_batch_with_groups_that_teach(tmp_path: Path, name: str) -> None:
    stage = {
        "curriculum": ALL[name],
        "gates": [{"name": "mixed-outcomes", "max_refills": 400}],
        "max_steps": 6,
    }
    run = Workbench(tmp_path, load()).run(recipe(stage, 0))
    batches = [call.value.groups for call in run.of("collect")]
    assert [len(groups) for groups in batches] == [32] * 6
    assert all(group.mixed for groups in batches for group in groups)


@pytest.mark.parametrize("name", ["sec", "mopps", "speed", "pilot-commit", "learnability-pilot"])
def test_selection_and_pilots_need_far_fewer_rollouts_in_a_diluted_pool(tmp_path: Path, name: str) -> None:
    bench = Workbench(tmp_path, load())
    uniform = tuple(curve(bench.run(recipe({"curriculum": "uniform"}, 0), "uniform")))
    chosen = tuple(curve(bench.run(recipe({"curriculum": ALL[name]}, 0), name)))
    assert rollouts_to(uniform[-1][1], chosen) < 0.8 * uniform[-1][0]
