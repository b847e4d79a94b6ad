"""The SmolLM2 recipes: planned everywhere, and run in a small form where heavy tests run."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.planning.plan import make_plans
from harness.planning.preview import preview
from harness.plugging.plugins import load
from harness.recipe import load_recipe
from harness.recording import ledger
from harness.running.parts import build_heldout
from harness.running.preflight import preflight_all
from tests.support.data import data_folder
from tests.support.places import ROOT
from tests.support.runs import harness

RECIPE = ROOT / "recipes" / "smollm2.toml"
CURRICULA = ROOT / "recipes" / "smollm2-curricula.toml"

pytest.importorskip("gguf", reason="needs the extra 'gguf'")
pytest.importorskip("reasoning_gym", reason="needs the extra 'gym'")

#: What makes the recipe small: the same path with few samples, in about a CPU minute once converted.
SMALL = {
    "difficulty.estimator.tasks": 4,
    "difficulty.estimator.samples": 2,
    "stages.0.select": "p >= 0",
    "stages.0.max_steps": 1,
    "stages.0.rollout.batch": 2,
    "stages.0.rollout.n": 4,
    "evaluation.heldout.0.per_stratum": 2,
    "evaluation.heldout.1.limit": 1,
    "evaluation.heldout.1.max_tokens": 32,
    "evaluation.heldout.2.limit": 1,
    "evaluation.heldout.2.max_tokens": 32,
}


def test_benchmarks_are_planned_where_the_data_is_and_left_out_aloud_where_not(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    plans = make_plans(load_recipe(RECIPE), load())
    for data, names in (
        ("", ["arithmetic"]),
        (str(tmp_path), ["arithmetic", "gsm8k-slice", "math500-integers-slice"]),
    ):
        monkeypatch.setenv("HARNESS_DATA", data)
        assert [sets.name for sets in plans[0].heldout] == names
        told = "\n".join(preview(plans))
        assert ("left out: gsm8k-slice, for HARNESS_DATA is not set" in told) is (not data)
        assert all(f"held out: {name}" in told for name in names)


def test_train_and_held_out_strata_are_told_apart() -> None:
    plan = make_plans(load_recipe(RECIPE), load())[0]
    train = [plan.build("task_sources", use, "") for use in plan.recipe.tasks.train]
    asked = {
        source.draw(subject, i).prompt[-1].content
        for source in train for subject in source.subjects() for i in range(60)
    }  # fmt: skip
    held = [plan.build("task_sources", use, "") for use in plan.recipe.evaluation.heldout[0].tasks]
    for source in held:
        for subject in source.subjects():
            assert not asked & {source.draw(subject, i).prompt[-1].content for i in range(24)}


def test_it_can_be_planned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_DATA", "")
    plan = make_plans(load_recipe(RECIPE), load())[0]
    preflight_all([plan], tmp_path)
    (arithmetic,) = build_heldout(plan)
    asked = [task.prompt for task in arithmetic.tasks]
    assert len(set(asked)) == len(asked)


@pytest.mark.heavy
def test_a_real_language_model_is_measured_trained_and_evaluated(tmp_path: Path) -> None:
    overrides = [part for path, value in SMALL.items() for part in ("--set", f"{path}={value}")]
    cache = os.environ.get("HARNESS_CACHE") or str(tmp_path / "cache")
    try:
        data = str(data_folder())
    except pytest.skip.Exception:
        data = ""
    done = harness(
        "run", str(RECIPE), "--runs", str(tmp_path / "runs"), *overrides,
        cwd=tmp_path, seconds=1800, HARNESS_CACHE=cache, HARNESS_DATA=data,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    lines = list(ledger.read(tmp_path / "runs" / "smollm2-1" / "main" / "seed-0" / "ledger.jsonl"))
    kinds = [line["t"] for line in lines]
    assert kinds.count("step") == 2
    assert kinds.count("labels") == 2
    assert kinds[-1] == "finished"
    labels = {label["subject"]: label for line in lines if line["t"] == "labels" for label in line["labels"]}
    assert set(labels) >= {"chain_sum/2-terms-1-digit", "products/1-digit", "gcd/to-20"}
    evaluations = {(line["name"], line["heldout"]) for line in lines if line["t"] == "evaluation"}
    sets = ("arithmetic", "gsm8k-slice", "math500-integers-slice") if data else ("arithmetic",)
    assert evaluations == {(name, heldout) for name in ("before", "final") for heldout in sets}


@pytest.mark.heavy
def test_every_curriculum_trains_a_real_language_model_within_the_same_rollouts(tmp_path: Path) -> None:
    """The study in small: each arm trains, and none spends more than another."""
    budget, arms = 32, ["uniform", "pilot", "sec", "adarft"]
    small = {
        "seeds": "[0]",
        "budget.rollouts": budget,
        "difficulty.estimator.tasks": 1,
        "difficulty.max_tokens": 8,
        "evaluation.heldout.0.per_stratum": 1,
        "evaluation.heldout.0.max_tokens": 8,
        "stages.0.rollout": "{ n = 4, batch = 2, max_tokens = 8 }",
        **{
            f"arms.{k}.set.stages.0.rollout": "{ n = 4, batch = 2, max_tokens = 8 }"
            for k in range(1, len(arms))
        },
    }
    overrides = [part for path, value in small.items() for part in ("--set", f"{path}={value}")]
    cache = os.environ.get("HARNESS_CACHE") or str(tmp_path / "cache")
    done = harness(
        "run", str(CURRICULA), "--runs", str(tmp_path / "runs"), "--jobs", "1", *overrides,
        cwd=tmp_path, seconds=1800, HARNESS_CACHE=cache,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    for arm in arms:
        folder = tmp_path / "runs" / "smollm2-curricula-1" / arm / "seed-0"
        lines = list(ledger.read(folder / "ledger.jsonl"))
        assert lines[-1]["t"] == "finished"
        assert lines[-1]["spent_rollouts"] <= budget
        assert [line["metrics"]["step"] for line in lines if line["t"] == "step"]
