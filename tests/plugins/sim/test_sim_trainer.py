"""Trainer `sim`: it conforms, and its student learns as the formulas say."""

from __future__ import annotations

import dataclasses
import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from harness_sim.items import parameters
from harness_sim.options import StudentOptions
from harness_sim.student import Student, draws, read
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.contract.errors import CapabilityError, DataError, EngineError
from harness.contract.records import Message, Request, RolloutKey, Sampling
from harness.plugging.plugins import Plugins
from harness.testing import TrainerConformance, Workbench
from harness.testing.engine import gather


@pytest.fixture
def bench(harness_plugins: Plugins, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workbench:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    return Workbench(tmp_path, harness_plugins)


class TestSimConformance(TrainerConformance):
    trainer = {"name": "sim"}
    model = {"name": "student", "loader": {"name": "sim"}, "prompt": "raw"}
    tasks = [
        {"name": "sim-irt", "count": 5, "low": -2.0, "high": 2.0, "prefix": domain, "domain": domain}
        for domain in ("one", "two")
    ]
    heldout = [{"name": "sim-irt", "count": 3, "low": -2.0, "high": 2.0, "split": "heldout"}]
    mixture = ("one", "two")
    max_tokens = 256


def student(**changes: Any) -> Student:
    return Student(**(StudentOptions().model_dump() | changes))


@settings(max_examples=30, deadline=None)
@given(ability=st.floats(-5, 5), b=st.floats(-5, 5), a=st.floats(0.2, 3), temperature=st.floats(0.1, 2))
def test_outcomes_follow_item_response_theory(ability: float, b: float, a: float, temperature: float) -> None:
    rows = 20_000
    seeds = np.full(rows, 7, dtype=np.uint64)
    sampling = Sampling(temperature=temperature, max_tokens=10**9)
    passed, lengths, cut = student(ability=ability).answer(
        np.full(rows, a), np.full(rows, b), sampling, draws(seeds, np.arange(rows))
    )
    expected = 1 / (1 + math.exp(-a * (ability - b) / temperature))
    assert abs(passed.mean() - expected) < 0.02
    assert not cut.any()
    assert np.median(lengths) == pytest.approx(64 * math.exp(0.25 * (b - ability)), rel=0.06, abs=1)


def test_hard_items_are_longer_and_so_are_cut_more_often() -> None:
    rows = 5000
    seeds, samples = np.full(rows, 3, dtype=np.uint64), np.arange(rows)
    shares = []
    for b in (-4.0, 0.0, 4.0):
        passed, lengths, cut = student().answer(
            np.ones(rows), np.full(rows, b), Sampling(max_tokens=100), draws(seeds, samples)
        )
        assert lengths.max() <= 100
        assert not (passed & cut).any()
        shares.append(cut.mean())
    assert shares[0] < 0.1 < shares[1] < 0.4 < shares[2]


def test_a_mixed_group_teaches_and_an_equal_one_does_not(bench: Workbench) -> None:
    suite = TestSimConformance()
    stage = {"rollout": {"n": 2, "batch": 1, "max_tokens": 4096}, "optimizer": {"lr": 1e-5}}
    record = bench.run(suite.recipe({"max_steps": 30, **stage}))
    ability, mixed = 0.0, 0
    for call, metrics in zip(record.of("collect"), record.metrics(), strict=True):
        now = metrics.extra["ability"]
        if any(group.mixed for group in call.value.groups):
            assert now > ability
            mixed += 1
        else:
            assert now == ability
        ability = now
    assert 3 < mixed < 27


def test_truncated_rollouts_carry_no_loss_where_the_stage_says_so(bench: Workbench) -> None:
    suite = TestSimConformance()
    runs = []
    for masked in (False, True):
        stage = {
            "max_steps": 1,
            "rollout": {"n": 16, "batch": 8, "max_tokens": 60},
            "loss": {"mask_truncated": masked},
        }
        runs.append(bench.run(suite.recipe(stage), f"masked-{masked}"))
    for run, masked in zip(runs, (False, True), strict=True):
        (metrics,), (call,) = run.metrics(), run.of("collect")
        assert 0.2 < metrics.truncated < 0.8
        total, count = 0.0, 0
        for group in call.value.groups:
            b = float(group.task and re.search(r"level-(\d)", group.task)[1]) - 2.0  # type: ignore[index]
            chance = 1 / (1 + math.exp(b))
            for advantage, status, cut in zip(group.advantages, group.statuses, group.truncated, strict=True):
                if not (masked and cut):
                    total += advantage * ((status == "pass") - chance)
                    count += 1
        assert metrics.extra["ability"] == pytest.approx(5000 * suite.lr * total / count)


def test_engine_and_trainer_give_the_same_outcome_for_the_same_key(bench: Workbench) -> None:
    suite = TestSimConformance()
    record = bench.run(suite.recipe({"max_steps": 1}))
    prompts = {task.id: task.prompt for task in suite.tasks_of(record, "stage1")}
    engine = bench.build("trainers", suite.trainer).engine(record.trained[0][0])
    for group in record.of("collect")[0].value.groups:
        key = RolloutKey(f"{suite.recipe({})['name']}/main/0", "train", "stage1", group.step, group.task, 0)
        sampling = Sampling(max_tokens=suite.max_tokens)
        requests = [
            Request(
                dataclasses.replace(key, sample=i),
                prompts[group.task],
                sampling,
            )
            for i in range(group.size)
        ]
        rollouts = gather(engine, requests)
        got = [rollouts[request.key] for request in requests]
        assert [len(r.completion_ids) for r in got] == list(group.lengths)
        assert [r.truncated for r in got] == list(group.truncated)
        assert [r.text == "right" for r in got] == [status == "pass" for status in group.statuses]


def test_it_says_that_it_is_a_simulation(bench: Workbench, harness_plugins: Plugins) -> None:
    offered = [r for r in harness_plugins.registry.all() if r.plugin == "sim"]
    assert {r.kind for r in offered} == {"trainers", "engines", "models", "task_sources"}
    for registration in offered:
        assert registration.capabilities["simulated"] is True
        assert registration.summary.startswith("SIMULATION")
    record = bench.run(TestSimConformance().recipe({"max_steps": 1}))
    assert record.metrics()[0].extra["simulated"] == 1.0
    content = json.loads((record.trained[0][1].files.path / "sim.json").read_text())
    assert content["simulation"] is True


def test_a_real_model_is_refused_in_words(bench: Workbench) -> None:
    folder = bench.folder / "model"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    with pytest.raises(DataError, match=r"sim\.json: is not a simulated student"):
        read(folder)


def test_real_prompts_are_refused_in_words() -> None:
    with pytest.raises(EngineError, match=r"simulated items only, not 'What is 2\+2\?'"):
        parameters([Message("user", "What is 2+2?")])


@pytest.mark.parametrize(
    ("stage", "what"),
    [
        ({"rollout": {"n": 2, "batch": 2, "top_p": 0.9}}, "rollout.top_p"),
        ({"rollout": {"n": 2, "batch": 2, "top_k": 5}}, "rollout.top_k"),
        ({"optimizer": {"lr": 1e-4, "weight_decay": 0.1}}, "optimizer.weight_decay"),
        ({"optimizer": {"lr": 1e-4, "betas": (0.5, 0.9)}}, "optimizer.betas"),
        ({"optimizer": {"lr": 1e-4, "epochs": 2}}, "optimizer.epochs"),
        ({"optimizer": {"lr": 1e-4, "mini_batches": 2}}, "optimizer.mini_batches"),
    ],
)
def test_what_a_student_cannot_do_is_refused(bench: Workbench, stage: dict[str, Any], what: str) -> None:
    with pytest.raises(CapabilityError, match=f"stages 'stage1'.*trainer 'sim' cannot do {what}"):
        bench.run(TestSimConformance().recipe(stage))
