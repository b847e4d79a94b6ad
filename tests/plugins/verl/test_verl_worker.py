"""What verl's training worker takes over of another stage: verl's own objects, without Ray."""

from __future__ import annotations

import json
import os
import subprocess
from typing import Any

import pytest

from tests.support.heavy import environment_python
from tests.support.places import ROOT

pytestmark = pytest.mark.heavy

#: A worker as verl's `init_model` leaves it, as far as a stage reaches, with the configuration of verl's.
CODE = """
import json, sys
from functools import partial
from types import SimpleNamespace
import torch
from omegaconf import OmegaConf, open_dict
from verl.utils.config import omega_conf_to_dataclass
from harness_verl_worker import restage
from harness_verl_worker.configuration import compose
from harness_verl_worker.worker import StageWorker

before, after = json.load(sys.stdin)
config = compose(before)
OmegaConf.resolve(config)
composed = OmegaConf.to_container(config)
changed = restage.changes(composed, OmegaConf.to_container(compose(after), resolve=True))
assert restage.fixed(composed, changed, strategy="fsdp2", reference=True) == []

def loss(config, model_output, data): ...

part = config.actor_rollout_ref
with open_dict(part.ref):
    part.ref.pop("log_prob_micro_batch_size_per_gpu")  # as verl does
weight = torch.nn.Parameter(torch.ones(2))
optimizer = torch.optim.AdamW([weight], lr=1e-3)
weight.grad = torch.ones(2)
optimizer.step()
actor = omega_conf_to_dataclass(part.actor)
worker = SimpleNamespace(config=part, loss_fn=partial(loss, config=actor))
worker.actor = SimpleNamespace(
    model_config=SimpleNamespace(), engine_config=actor.engine, optimizer_config=actor.optim,
    engine=SimpleNamespace(optimizer=optimizer), set_loss_fn=lambda given: setattr(worker, "given", given),
)
worker.ref = SimpleNamespace(engine_config=omega_conf_to_dataclass(part.actor).engine)
StageWorker.take_stage(worker, changed, RESET)
said = worker.given.keywords["config"]
group = optimizer.param_groups[0]
print(json.dumps({
    "function": worker.given.func.__name__,
    "clip": [said.clip_ratio_low, said.clip_ratio_high, said.entropy_coeff, said.kl_loss_coef],
    "use_kl_loss": said.use_kl_loss,
    "updates": [said.ppo_epochs, said.ppo_mini_batch_size],
    "micro": [
        worker.actor.engine_config.micro_batch_size_per_gpu,
        worker.actor.engine_config.infer_micro_batch_size_per_gpu,
        worker.ref.engine_config.infer_micro_batch_size_per_gpu,
    ],
    "clip_grad": worker.actor.optimizer_config.clip_grad,
    "optimizer": [group["weight_decay"], list(group["betas"])],
    "moments": len(optimizer.state),
}))
"""


@pytest.fixture(params=[False, True], ids=["moments kept", "moments reset"])
def taken(request: pytest.FixtureRequest) -> tuple[bool, dict[str, Any]]:
    from harness_verl import settings
    from harness_verl.settings import Setup

    from harness.recipe import Conventions, Resources, Stage

    stages: tuple[dict[str, Any], ...] = (
        {"name": "a", "rollout": {"n": 4, "batch": 8}, "loss": {"kl": 0.1}},
        {
            "name": "b",
            "rollout": {"n": 3, "batch": 4},
            "loss": {"kl": 0.2, "entropy": 0.01, "clip_low": 0.1, "clip_high": 0.3},
            "optimizer": {
                "epochs": 2, "mini_batches": 2, "weight_decay": 0.1, "max_grad_norm": 0.5,
                "betas": (0.8, 0.9),
            },
        },
    )  # fmt: skip
    setup = Setup(ROOT, 512, "cpu", Resources())
    specs = [
        {
            "overrides": [],
            "settings": settings.settings(
                Stage.model_validate(stage), Conventions(), setup, [], where="here"
            ),
        }
        for stage in stages
    ]
    hidden = ("PYTHON", "VERL_", "HARNESS_")
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(hidden)}
    cpu = {"VERL_PLATFORM": "cpu", "VERL_USE_EXTERNAL_MODULES": "harness_verl_cpu"}
    done = subprocess.run(
        [environment_python("verl-cpu"), "-c", CODE.replace("RESET", str(request.param))],
        env=inherited | {"PYTHONPATH": str(ROOT / "plugins")} | cpu, input=json.dumps(specs),
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return request.param, json.loads(done.stdout.splitlines()[-1])


def test_a_worker_learns_as_the_next_stage_says(taken: tuple[bool, dict[str, Any]]) -> None:
    reset, worker = taken
    assert worker == {
        "function": "loss",
        "clip": [0.1, 0.3, 0.01, 0.2],
        "use_kl_loss": True,
        "updates": [2, 2],
        "micro": [6, 6, 6],
        "clip_grad": 0.5,
        "optimizer": [0.1, [0.8, 0.9]],
        "moments": 0 if reset else 1,
    }
