"""Adapters under verl itself, on the CPU: they alone learn, reach vLLM, survive a break, and go on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("peft", reason="needs the extra 'lora'")

import torch
from transformers import AutoModelForCausalLM

from harness.contract.protocols import Policy
from harness.plugging.plugins import load
from harness.testing.workbench import Recorded, Workbench
from tests.plugins.verl.test_verl_real import groups, logprobs
from tests.support.heavy import environment_python

pytestmark = [pytest.mark.heavy, pytest.mark.timeout(3600)]

RANK = 4
RECIPE: dict[str, Any] = {
    "name": "adapters",
    "model": {
        "name": "chain-334k",
        "loader": "packaged",
        "prompt": "raw",
        "lora": {"rank": RANK, "alpha": 8, "targets": ["q_proj", "v_proj", "down_proj"]},
    },
    "trainer": {"name": "verl"},
    "tasks": {"train": [{"name": "arithmetic-chain", "strata": "8-9"}]},
    "resources": {"device": "cpu"},
    "checkpoints": {"every_steps": 1, "keep": 9, "min_free_gb": 0.05},
    "report": {"reporters": []},
    "stages": [
        {
            "name": "first",
            "curriculum": "uniform",
            "gates": [{"name": "mixed-outcomes", "max_refills": 20}],
            "rollout": {"n": 4, "batch": 4, "max_tokens": 12},
            "optimizer": {"lr": 5e-3},
            "max_steps": 3,
        },
        {
            "name": "second",
            "curriculum": "uniform",
            "rollout": {"n": 4, "batch": 4, "max_tokens": 12},
            "loss": {"kl": 0.05},
            "optimizer": {"lr": 1e-3},
            "max_steps": 1,
        },
    ],
}


@pytest.fixture(scope="module")
def resumed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorded]:
    """The run, broken in the first stage and gone on with."""
    folder = tmp_path_factory.mktemp("adapters")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HARNESS_VERL_PYTHON", environment_python("verl-cpu"))
        patch.setenv("HARNESS_CACHE", str(folder / "cache"))
        bench = Workbench(folder, load())
        assert bench.run(RECIPE, crash_after=2).crashed
        yield bench.run(RECIPE)


def opened(folder: Path) -> Any:
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)


def base(record: Recorded) -> Path:
    import harness_torch

    return Path(harness_torch.__path__[0]) / "models" / "chain-334k"


def test_the_stages_go_on_where_they_were(resumed: Recorded) -> None:
    assert [(m.stage, m.step) for m in resumed.metrics()] == [("first", 3), ("second", 1)]
    steps = [(line["metrics"]["stage"], line["metrics"]["step"]) for line in resumed.lines("step")]
    assert steps == [("first", 1), ("first", 2), ("first", 3), ("second", 1)]


def policies(record: Recorded) -> list[Policy]:
    return [policy for _, policy in record.trained]


def test_adapters_alone_learn_and_the_policy_is_the_base_with_them(resumed: Recorded) -> None:
    before = opened(base(resumed)).state_dict()
    for policy in policies(resumed):
        assert policy.checkpoint is not None
        after = opened(policy.files.path).state_dict()
        moved = {name for name, tensor in before.items() if not torch.equal(after[name], tensor)}
        assert moved
        assert all(name.split(".")[-2] in ("q_proj", "v_proj", "down_proj") for name in moved), moved
        for name in moved:
            assert torch.linalg.matrix_rank((after[name] - before[name]).double(), rtol=1e-3) <= RANK
        names = {file.name for file in (policy.checkpoint / "adapter").iterdir()}
        assert names == {"adapter_config.json", "adapter_model.safetensors"}


def test_rollouts_come_from_base_and_adapter(resumed: Recorded) -> None:
    """After a resume, and at the start of a stage: unrounded, as vLLM computes in fp32."""
    checkpoints = resumed.folder / "checkpoints"
    for stage, folder in (("first", "first-000002"), ("second", "first-000003")):
        model = opened(checkpoints / folder / "model")
        apart = opened(base(resumed))
        first = [r for group in groups(resumed, stage) for r in group.rollouts][:32]
        assert first
        for rollout in first:
            assert rollout.logprobs == pytest.approx(logprobs(model, rollout).tolist(), abs=1e-3)
        far = [
            abs(a - b) for r in first for a, b in zip(r.logprobs, logprobs(apart, r).tolist(), strict=True)
        ]
        assert max(far) > 1e-2, "the base alone would not do"


def test_the_kl_term_is_that_of_the_base(resumed: Recorded) -> None:
    model, reference = opened(policies(resumed)[0].files.path), opened(base(resumed))
    total, tokens = 0.0, 0
    for group in groups(resumed, "second"):
        for rollout in group.rollouts:
            ratio = logprobs(reference, rollout) - logprobs(model, rollout)
            total += float((ratio.exp() - ratio - 1).sum())
            tokens += len(ratio)
    assert resumed.metrics()[-1].kl == pytest.approx(total / tokens, rel=2e-2, abs=1e-7)
    assert total > 0


def test_the_optimizer_goes_on_and_a_checkpoint_has_no_second_copy_of_the_base(resumed: Recorded) -> None:
    taken = []
    for policy in policies(resumed):
        assert policy.checkpoint is not None
        (actor,) = policy.checkpoint.glob("verl/global_step_*/actor")
        (file,) = actor.glob("optim_*.pt")
        state = torch.load(file, weights_only=False)["state"]
        taken.append({int(entry["step"]) for entry in state.values()})
        (weights,) = actor.glob("model_*.pt")
        assert os.path.getsize(weights) < os.path.getsize(policy.files.path / "model.safetensors") / 2
    assert taken == [{3}, {4}]
