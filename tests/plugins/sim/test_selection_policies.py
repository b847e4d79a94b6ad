"""What difficulty-aware selection buys, in the simulation: seconds instead of CPU hours.

The simulated student learns from mixed groups only and forgets nothing, so these tests say whether the
policies do what they are for, not whether they help a language model. Margins are generous: a seed that
fails one of them is a fault, not bad luck.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from harness.contract.errors import TrainingError
from harness.planning.plan import make_plans
from harness.plugging.plugins import load
from harness.recipe import load_recipe
from harness.testing import Recorded, Workbench
from tests.support.places import ROOT

SEEDS = (0, 1, 2)
BUDGET = 40_960
#: In the diluted pool most strata are far too easy or too hard at first, as in real pools.
DILUTED = {"name": "sim-irt", "count": 40, "low": -10.0, "high": 30.0}
NARROW = {"name": "sim-irt", "count": 12, "low": -3.0, "high": 3.0}
FIXED = {"name": "pass-rate", "tasks": 16, "samples": 4, "sequential": False}
WINDOW = "0.05 <= p <= 0.9"

ARMS: dict[str, dict[str, Any]] = {
    "uniform": {"curriculum": "uniform"},
    "frozen-filter": {"curriculum": "frozen-filter", "select": WINDOW},
    "staged": {
        "curriculum": "staged",
        "select": WINDOW,
        "reestimate": True,
        "repeat": "budget",
        "until": {"rollouts": 8192},
    },
    "learnability": {"curriculum": {"name": "learnability", "decay": 0.97}},
}


def recipe(stage: dict[str, Any], seed: int, pool: dict[str, Any] = DILUTED, **tables: Any) -> dict[str, Any]:
    plain = {
        "name": "stage",
        "rollout": {"n": 8, "batch": 32, "max_tokens": 8192},
        "optimizer": {"lr": 1e-4},
    }
    return {
        "name": "selection",
        "seeds": [seed],
        "detail": "group",
        "model": {"name": "student", "loader": {"name": "sim"}, "prompt": "raw"},
        "tasks": {"train": [pool]},
        "trainer": "sim",
        "difficulty": {"estimator": FIXED, "max_tokens": 8192},
        "budget": {"rollouts": BUDGET},
        "checkpoints": {"every_steps": 100_000, "min_free_gb": 0.05},
        "report": {"reporters": []},
        "stages": [plain | stage],
    } | tables


def curve(record: Recorded) -> list[tuple[int, float]]:
    """(rollouts spent, ability) after each step; measuring difficulty is charged."""
    return [(line["spent_rollouts"], line["metrics"]["extra"]["ability"]) for line in record.lines("step")]


@cache
def learned(arm: str, seed: int, diluted: bool = True) -> tuple[tuple[int, float], ...]:
    with TemporaryDirectory() as folder:
        bench = Workbench(Path(folder), load())
        return tuple(curve(bench.run(recipe(ARMS[arm], seed, DILUTED if diluted else NARROW))))


def rollouts_to(ability: float, points: tuple[tuple[int, float], ...]) -> float:
    return next((spent for spent, now in points if now >= ability), float("inf"))


@pytest.mark.parametrize("seed", SEEDS)
def test_measuring_anew_beats_a_frozen_filter(seed: int) -> None:
    staged, frozen = learned("staged", seed), learned("frozen-filter", seed)
    assert staged[-1][1] > 1.5 * frozen[-1][1]


@pytest.mark.parametrize("seed", SEEDS)
def test_a_frozen_filter_masters_what_it_picked_and_then_stands_still(seed: int) -> None:
    points = learned("frozen-filter", seed)
    half = rollouts_to(points[-1][1] / 2, points)
    assert half < 0.35 * BUDGET
    late = [ability for spent, ability in points if spent > 0.75 * BUDGET]
    assert late[-1] - late[0] < 0.15 * points[-1][1]


@pytest.mark.parametrize("arm", ["staged", "learnability"])
@pytest.mark.parametrize("seed", SEEDS)
def test_selection_needs_far_fewer_rollouts_in_a_diluted_pool(arm: str, seed: int) -> None:
    uniform, chosen = learned("uniform", seed), learned(arm, seed)
    assert rollouts_to(uniform[-1][1], chosen) < 0.6 * BUDGET


@pytest.mark.parametrize("arm", ["staged", "learnability"])
@pytest.mark.parametrize("seed", SEEDS)
def test_selection_gains_little_where_the_pool_suits_the_student(arm: str, seed: int) -> None:
    uniform, chosen = learned("uniform", seed, diluted=False), learned(arm, seed, diluted=False)
    early = 2.0
    assert rollouts_to(early, chosen) > 0.5 * rollouts_to(early, uniform)


def test_every_arm_spends_its_budget_and_no_more() -> None:
    for arm in ARMS:
        spent = learned(arm, 0)[-1][0]
        assert BUDGET - 8 < spent <= BUDGET, arm


def test_a_sequential_estimator_leaves_more_of_the_budget_for_training(tmp_path: Path) -> None:
    bench = Workbench(tmp_path, load())
    estimator = {"name": "pass-rate", "tasks": 16, "samples": 4, "low": 0.05, "high": 0.9}
    difficulty = {"estimator": estimator, "max_tokens": 8192}
    run = bench.run(recipe(ARMS["staged"], 0, difficulty=difficulty))
    fixed = learned("staged", 0)
    first = run.lines("labels")[0]
    assert first["rollouts"] < 0.6 * 40 * 64
    assert {d["samples"] for d in first["labels"]} > {16}, "some strata are decided after one round"
    assert curve(run)[-1][1] > 0.9 * fixed[-1][1]


def test_a_stage_ends_on_mastery_and_says_so(tmp_path: Path) -> None:
    stage = ARMS["staged"] | {
        "curriculum": {"name": "staged", "mastery": 0.8, "mastery_window": 5},
        "until": {},
    }
    reasons = [
        line["reason"] for line in Workbench(tmp_path, load()).run(recipe(stage, 0)).lines("stage_finished")
    ]
    assert len(reasons) > 2
    assert all(
        reason.startswith("mastery: the pass rate of the last 5 steps is 0.8") for reason in reasons[:-1]
    )


def test_dynamic_sampling_fills_batches_and_gives_up_where_nothing_is_mixed(tmp_path: Path) -> None:
    bench = Workbench(tmp_path, load())
    gated = ARMS["uniform"] | {"gates": [{"name": "mixed-outcomes", "max_refills": 40}]}
    metrics = bench.run(recipe(gated, 0), "gated").metrics()
    full = [m for m in metrics if m.rollouts - 8 * m.discarded_groups == 8 * 32]
    assert len(full) >= len(metrics) - 1, "only the budget may cut a batch short"
    assert all(m.zero_variance_groups == 0 for m in metrics)
    hopeless = {"name": "sim-irt", "count": 3, "low": 60.0, "high": 70.0}
    with pytest.raises(TrainingError, match=r"stage 'stage'.* 1312 groups passed the gates"):
        bench.run(recipe(gated, 0, hopeless), "hopeless")


@pytest.mark.parametrize("arm", ARMS)
def test_a_broken_run_of_every_arm_goes_on_to_the_same_numbers(tmp_path: Path, arm: str) -> None:
    bench = Workbench(tmp_path, load())
    values = recipe(
        ARMS[arm], 0, budget={"rollouts": 15_000}, checkpoints={"every_steps": 7, "min_free_gb": 0.05}
    )
    whole = bench.run(values, "whole")
    assert bench.run(values, "broken", crash_after=17).crashed
    bench.run(values, "broken")
    broken = Recorded(tmp_path / "broken")
    for kind in ("group", "labels", "stage_started", "stage_finished"):
        assert [timeless(line) for line in broken.lines(kind)] == [
            timeless(line) for line in whole.lines(kind)
        ]
    assert curve(broken) == curve(whole)


def timeless(line: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in line.items() if not name.endswith("cpu_seconds")}


@pytest.mark.parametrize("curriculum", ["uniform", "staged", "learnability"])
def test_a_mixture_keeps_its_shares_under_every_curriculum(tmp_path: Path, curriculum: str) -> None:
    chosen = {"select": "0.1 <= mean <= 0.9"} if curriculum == "staged" else {}
    stage = {"curriculum": curriculum, **chosen, "mixture": {"math": 0.68, "code": 0.32}, "max_steps": 12}
    values = recipe(stage, 0)
    values["tasks"]["train"] = [
        NARROW | {"prefix": "math", "domain": "math"},
        DILUTED | {"prefix": "code", "domain": "code"},
    ]
    record = Workbench(tmp_path, load()).run(values)
    subjects = [g.subject for call in record.of("collect") for g in call.value.groups]
    assert len(subjects) == 12 * 32
    assert abs(sum(s.startswith("math-") for s in subjects) - 0.68 * len(subjects)) <= 1
    if chosen:
        hopeless = [s for s in subjects if s.startswith("code-") and s > "code-level-25"]
        assert not hopeless, "the rule holds inside each part"


def test_the_recipe_of_the_simulation_is_whole() -> None:
    file = load_recipe(ROOT / "recipes" / "simulation.toml")
    plans = make_plans(file, load())
    assert [plan.arm.name for plan in plans[::3]] == list(ARMS)
    assert {plan.seed for plan in plans} == set(SEEDS)
