"""A stage on a Ray cluster that runs already: two nodes, both on this machine."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from harness_verl.job import package

from harness.plugging.plugins import load
from harness.testing.workbench import Workbench
from tests.support.heavy import environment_python, free_port

# A start of verl takes about a minute on an idle machine, and many times that on a busy one.
pytestmark = [pytest.mark.heavy, pytest.mark.timeout(3600)]

RECIPE: dict[str, Any] = {
    "name": "cluster",
    "model": {"name": "chain-334k", "loader": "packaged", "prompt": "raw"},
    "tasks": {"train": [{"name": "arithmetic-chain", "strata": "7-10"}]},
    "checkpoints": {"min_free_gb": 0.05},
    "report": {"reporters": []},
    "stages": [
        {
            "name": "s",
            "rollout": {"n": 4, "batch": 4, "max_tokens": 14},
            "optimizer": {"lr": 1e-4},
            "max_steps": 2,
        }
    ],
}


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of two nodes with a worker's place each."""
    python = environment_python("verl-cpu")
    monkeypatch.setenv("HARNESS_VERL_PYTHON", python)
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    address = f"127.0.0.1:{free_port()}"
    ray = [sys.executable, str(package("harness_verl_worker") / "keeper.py"), "/nowhere",
           str(Path(python).with_name("ray")), "start", "--block", "--num-gpus", "1", "--num-cpus", "16",
           "--object-store-memory", "300000000", "--node-ip-address", "127.0.0.1"]  # fmt: skip
    head = ["--head", "--port", address.rpartition(":")[2], "--include-dashboard", "false",
            "--temp-dir", f"/tmp/hvc-{os.getpid()}"]  # fmt: skip
    nodes = []
    variables = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}
    for more in (head, ["--address", address]):
        with (tmp_path / f"node-{len(nodes)}.txt").open("wb") as log:
            nodes.append(
                subprocess.Popen(
                    [*ray, *more],
                    stdin=subprocess.PIPE,
                    stdout=log,
                    stderr=log,
                    cwd=tmp_path,
                    env=variables | {"RAY_USAGE_STATS_ENABLED": "0"},
                )
            )
        end = time.monotonic() + 120
        while "Ray runtime started" not in (tmp_path / f"node-{len(nodes) - 1}.txt").read_text():
            assert time.monotonic() < end, (tmp_path / f"node-{len(nodes) - 1}.txt").read_text()
            time.sleep(0.3)
    yield address
    for node in reversed(nodes):
        node.terminate()
        node.wait(timeout=30)
    shutil.rmtree(f"/tmp/hvc-{os.getpid()}", ignore_errors=True)


def test_a_stage_on_two_nodes(cluster: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    trainer = {"name": "verl", "ray_address": cluster, "listen": "127.0.0.1"}
    resources = {"device": "cpu", "nodes": 2}
    record = Workbench(tmp_path, load()).run(RECIPE | {"trainer": trainer, "resources": resources})
    metrics = record.metrics()
    assert [m.step for m in metrics] == [1, 2]
    name = "verl/training/rollout_actor_probs_pearson_corr"
    assert all(m.extra[name] > 0.999 for m in metrics), (
        "both nodes generate with the weights that are trained"
    )
    ((_, policy),) = record.trained
    assert policy.checkpoint is not None
    shards = policy.checkpoint.glob("verl/global_step_2/actor/model_world_size_2_rank_*.pt")
    assert len(list(shards)) == 2
