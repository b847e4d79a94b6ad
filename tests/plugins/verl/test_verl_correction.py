"""What verl's rollout correction rejects, and the session's advantages: verl's own code on rows held here."""

from __future__ import annotations

import json
import os
import subprocess

import pytest

from tests.support.heavy import environment_python
from tests.support.places import ROOT

pytestmark = pytest.mark.heavy

PLUGINS = ROOT / "plugins"

#: Two samples of three and two tokens. The servers were far off in one token of the first.
CODE = """
import json
import torch
from omegaconf import OmegaConf
from tensordict import TensorDict
from transfer_queue import KVBatchMeta
from verl.utils import tensordict_utils as tu
import harness_verl_worker.trainer as ours

def nested(*rows):
    return torch.nested.as_nested_tensor([torch.tensor(row) for row in rows], layout=torch.jagged)

class Store:
    rows = {
        "response_mask": nested([1, 1, 1], [1, 1]),
        "loss_mask": nested([1, 1, 1], [1, 1]),
        "rm_scores": nested([0.0, 0.0, 1.0], [0.0, 0.0]),
        "old_log_probs": nested([-1.0, -1.0, -1.0], [-1.0, -1.0]),
        "rollout_log_probs": nested([-1.0, FAR, -1.0], [-1.0, -1.0]),
    }

    def kv_batch_get(self, *, keys, partition_id, select_fields):
        found = {name: self.rows[name] for name in select_fields if name in self.rows}
        if "uid" in select_fields:
            found["uid"] = ours._objects([key.split("_")[0] for key in keys])
        return tu.get_tensordict(found)

    def kv_batch_put(self, *, keys, partition_id, fields):
        self.rows |= {name: fields[name] for name in fields.keys()}
        return KVBatchMeta(partition_id=partition_id, keys=keys, tags=[{} for _ in keys])

import verl.trainer.ppo.v1.trainer_base as base
base.tq = ours.tq = store = Store()
trainer = ours.SessionTrainer.__new__(ours.SessionTrainer)
trainer.config = OmegaConf.create({
    "algorithm": {
        "use_kl_in_reward": False, "adv_estimator": "grpo", "gamma": 1.0, "lam": 1.0,
        "rollout_correction": {
            "bypass_mode": False, "rollout_is": "token", "rollout_is_threshold": 0.5,
            "rollout_rs": "token_k1", "rollout_rs_threshold": "0.5_2.0",
        },
    },
    "actor_rollout_ref": {"rollout": {"n": 2}},
})
trainer._worth = {"a": {"advantages": [2.0, -3.0], "masked": [False, False]}}
batch = KVBatchMeta(partition_id="train", keys=["a_0_0", "a_1_0"], tags=[{}, {}])
metrics = {}
trainer._compute_advantage(batch, metrics=metrics)
kept = ("advantages", "response_mask", "loss_mask", "rollout_is_weights")
print(json.dumps({name: [row.tolist() for row in store.rows[name].unbind()] for name in kept}))
"""


def corrected(far: str) -> dict[str, list[list[float]]]:
    hidden = ("PYTHON", "VERL_", "HARNESS_")
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(hidden)}
    cpu = {"VERL_PLATFORM": "cpu", "VERL_USE_EXTERNAL_MODULES": "harness_verl_cpu"}
    done = subprocess.run(
        [environment_python("verl-cpu"), "-c", CODE.replace("FAR", far)],
        env=inherited | {"PYTHONPATH": str(PLUGINS)} | cpu,
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    values: dict[str, list[list[float]]] = json.loads(done.stdout.splitlines()[-1])
    return values


def test_a_rejected_token_is_neither_in_the_sum_nor_in_the_count() -> None:
    values = corrected("-4.0")
    assert values["response_mask"] == values["loss_mask"] == [[1, 0, 1], [1, 1]]
    assert values["advantages"] == [[2.0, 0.0, 2.0], [-3.0, -3.0]]
    assert values["rollout_is_weights"] == [[0.5, 0.5, 0.5], [0.5, 0.5]]


def test_what_is_near_is_all_kept() -> None:
    values = corrected("-1.1")
    assert values["response_mask"] == values["loss_mask"] == [[1, 1, 1], [1, 1]]
    assert values["advantages"] == [[2.0, 2.0, 2.0], [-3.0, -3.0]]
