"""verl on a CPU: in verl's own environment, whether its plugin is in place and what of it is still needed."""

from __future__ import annotations

import os
import subprocess

import pytest

from tests.support.heavy import environment_python
from tests.support.places import ROOT

pytestmark = pytest.mark.heavy

PLUGINS = ROOT / "plugins"


@pytest.fixture(scope="module")
def python() -> str:
    return environment_python("verl-cpu")


def run(python: str, code: str, **variables: str) -> subprocess.CompletedProcess[str]:
    hidden = ("PYTHON", "VERL_", "HARNESS_")
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(hidden)}
    return subprocess.run(
        [python, "-c", code],
        env=inherited | {"PYTHONPATH": str(PLUGINS)} | variables,
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip


LOADED = {"VERL_PLATFORM": "cpu", "VERL_USE_EXTERNAL_MODULES": "harness_verl_cpu"}


def test_verl_takes_the_plugin_and_it_says_so(python: str) -> None:
    done = run(
        python,
        """
import verl, harness_verl_cpu
harness_verl_cpu.check()
from importlib.metadata import version
from verl.plugin.platform import get_platform
from verl.workers.engine.base import EngineRegistry
from verl.third_party.vllm import vllm_version
import harness_verl_cpu.engine as engine
assert harness_verl_cpu.mismatches() == [], harness_verl_cpu.mismatches()
assert version("vllm") == vllm_version == "0.28.0+cpu", version("vllm")
assert get_platform().communication_backend_name() == "gloo"
assert EngineRegistry._engines["language_model"]["fsdp2"]["cpu"] is engine.CpuFsdp2Engine
""",
        **LOADED,
    )
    assert done.returncode == 0, done.stderr


def test_a_plugin_that_is_not_loaded_is_noticed(python: str) -> None:
    """verl logs a plugin that fails to load at DEBUG and goes on; here it was never asked to."""
    done = run(
        python,
        """
import verl.plugin.platform.platform_manager as manager
import harness_verl_cpu
del manager.PlatformRegistry._platforms["cpu"]
harness_verl_cpu.check()
""",
    )
    assert "installed but verl did not load it" in done.stderr


def test_patches_touch_nothing_where_verl_runs_on_something_else(python: str) -> None:
    code = "import harness_verl_cpu.patches as p; print([patch.applied() for patch in p.IN_VERL])"
    done = run(python, code, VERL_PLATFORM="nvidia")
    assert done.stdout.strip() == "[False]", done.stderr


def test_patches_refuse_versions_they_were_not_written_for(python: str) -> None:
    done = run(
        python,
        """
import harness_verl_cpu.versions as v
v.VERSIONS["verl"] = "0.9.2"
import harness_verl_cpu.patches as p
p.IN_VERL[0].apply()
""",
    )
    assert "is not touched: verl 0.9.2 is supported, 0.9.1 is here" in done.stderr


def test_every_patch_is_still_needed(python: str) -> None:
    """Fails on the day an upgrade makes one superfluous: take it out then."""
    done = run(
        python,
        """
import verl
from importlib.metadata import PackageNotFoundError, distribution
from harness_verl_cpu.patches import IN_VERL
from harness_vllm_cpu.patches import IN_VLLM
for patch in (*IN_VERL, *IN_VLLM):
    assert patch.needed(patch.original), f"{patch.name}: {patch.why}"
real = [d.metadata["Name"] for d in __import__("importlib.metadata").metadata.distributions()]
assert "vllm-cpu" in real and "vllm" not in real, "the alias"
from verl.plugin.platform.platform_manager import PlatformRegistry
theirs = [n for n, c in PlatformRegistry._platforms.items() if c.__module__.startswith("verl.")]
assert "cpu" not in theirs, "the platform"
import inspect
from verl.workers.engine.fsdp.transformer_impl import FSDPEngine
assert "CPUOffloadPolicy(pin_memory=True)" in inspect.getsource(FSDPEngine), "the engine"
""",
        **LOADED,
    )
    assert done.returncode == 0, done.stderr


def test_the_entry_point_names_the_package(python: str) -> None:
    import tomllib

    project = tomllib.loads((PLUGINS.parent / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["verl.plugins"] == {"harness-cpu": "harness_verl_cpu"}


def test_a_mean_over_sequences_is_over_those_that_count(python: str) -> None:
    """One of three rows is masked and one is padding: verl's own loss divides by what is left."""
    done = run(
        python,
        """
import torch
from types import SimpleNamespace
from omegaconf import OmegaConf
from transfer_queue import KVBatchMeta
from verl.trainer.ppo.core_algos import agg_loss
from harness_verl_worker.trainer import SessionTrainer

class Group:
    def update_actor(self, batch):
        self.told = dict(batch.extra_info)
        return {"metrics": {"mfu": 0.0, "loss": 1.0}}

trainer = SessionTrainer.__new__(SessionTrainer)
actor = {"ppo_mini_batch_size": 2, "calculate_entropy": False, "entropy_coeff": 0.0, "ppo_epochs": 1,
         "data_loader_seed": 1, "shuffle": False}
trainer.config = OmegaConf.create(
    {"data": None, "distillation": None,
     "actor_rollout_ref": {"actor": actor, "rollout": {"n": 2, "temperature": 1.0}}}
)
trainer.distillation_config = None
group = trainer.actor_rollout_wg = Group()
masks = [torch.ones(2), torch.zeros(2), torch.ones(2), torch.ones(2)]
trainer._rows = lambda batch, field: masks
tags = [{}, {}, {}, {"is_padding": True}]
batch = KVBatchMeta(partition_id="train", keys=[f"g_{i}_0" for i in range(4)], tags=tags, extra_info={})
metrics = {}
assert trainer._update_actor(batch, metrics=metrics) is batch
assert trainer.actor_rollout_wg is group
assert metrics["actor/loss"] == 1.0
assert group.told["mini_batch_size"] == 4, "how a step is divided stays verl's"
assert group.told["global_batch_size"] == 2, group.told
values = torch.tensor([[1.0, 3.0], [9.0, 9.0], [5.0, 7.0], [0.0, 0.0]])
mask = torch.stack([*masks[:3], torch.zeros(2)])
found = agg_loss(values, mask, "seq-mean-token-mean", dp_size=1, batch_num_tokens=4,
                 global_batch_size=group.told["global_batch_size"])
assert abs(float(found) - 4.0) < 1e-5, found

# In two mini-batches: each gets one of the rows that count, and an equal share to divide by.
trainer.config.actor_rollout_ref.actor.ppo_mini_batch_size = 1
trainer.config.data = {"train_batch_size": 2}
group._dispatch_info = {"actor": [0]}
padded = [{}, {"is_padding": True}, {}, {"is_padding": True}]
split = KVBatchMeta(partition_id="train", keys=[f"g_{i}_0" for i in range(4)], tags=padded, extra_info={})
trainer._rows = lambda batch, field: [masks[0]] * 4
trainer._deal(split)
assert split.keys == ["g_0_0", "g_1_0", "g_2_0", "g_3_0"], split.keys
trainer._update_actor(split, metrics={})
assert group.told["mini_batch_size"] == 2
assert group.told["global_batch_size"] == 1, group.told
split.tags[2] = {"is_padding": True}
trainer._deal(split)
trainer._update_actor(split, metrics={})
assert group.told["mini_batch_size"] == 4, "one row cannot be shared among two updates"
""",
        **LOADED,
    )
    assert done.returncode == 0, done.stderr
