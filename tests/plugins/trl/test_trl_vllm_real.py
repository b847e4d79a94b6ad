"""TRL and vLLM themselves, in one process on the CPU (`vllm_mode = "colocate"`), driven by a recipe.

vLLM computes in bf16, TRL here in fp32: log-probabilities of the same weights differ by some hundredths of
a nat a token, those of another step's weights by several times that.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="needs the extra 'torch'")

import torch

from harness.contract.records import Rollout
from harness.recording import ledger
from harness.recording.groups import read_group
from tests.support.heavy import ROOT, SMALL, environment_python, running_with
from tests.support.runs import first_difference, numbers

pytestmark = [pytest.mark.heavy, pytest.mark.timeout(1800)]

#: In the environment of all processes that a study starts.
MARK = "HARNESS_TEST_MARK"

RECIPE = """
name = "colocate"
[model]
name = "chain-334k"
loader = "packaged"
prompt = "raw"
[tasks]
train = [{ name = "arithmetic-chain", strata = "9-10" }]
[trainer]
name = "trl"
[trainer.grpo]
use_vllm = true
vllm_mode = "colocate"
vllm_max_model_length = 128
vllm_gpu_memory_utilization = 0.1
[resources]
device = "cpu"
[[evaluation.heldout]]
name = "chains"
tasks = [{ name = "arithmetic-chain", strata = "7-8", split = "heldout" }]
max_tokens = 16
[checkpoints]
every_steps = 1
keep = 9
min_free_gb = 0.05
[report]
reporters = []
[[stages]]
name = "first"
curriculum = "uniform"
gates = [{ name = "mixed-outcomes", max_refills = 20 }]
rollout = { n = 4, batch = 6, max_tokens = 24 }
optimizer = { lr = 2e-4 }
max_steps = 2
[[stages]]
name = "second"
curriculum = "uniform"
gates = [{ name = "mixed-outcomes", max_refills = 20 }]
rollout = { n = 3, batch = 5, max_tokens = 20, temperature = 1.3 }
loss = { kl = 0.01 }
optimizer = { lr = 2e-4 }
max_steps = 2
"""


@dataclass(frozen=True)
class Studied:
    """A study that ran in vLLM's environment, and what its vLLM wrote down."""

    folder: Path
    mark: str

    @property
    def run(self) -> Path:
        return self.folder / "runs" / "colocate-1" / "main" / "seed-0"

    @cached_property
    def calls(self) -> list[dict[str, Any]]:
        lines = (self.folder / "vllm.jsonl").read_text().splitlines()
        return [json.loads(line) for line in lines]

    @cached_property
    def generated(self) -> list[dict[str, Any]]:
        return [call for call in self.calls if "served" in call]

    @cached_property
    def rollouts(self) -> list[Rollout]:
        """Of training, in the order in which they were asked for."""
        lines = ledger.read(self.run / "ledger.jsonl")
        groups = [read_group(line["group"]) for line in lines if line["t"] == "group"]
        return [rollout for group in groups for rollout in group.rollouts or ()]

    def harness(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """The command under the interpreter that has TRL and vLLM."""
        installed = next(
            file for file in distribution("staged-harness").files or () if file.name == "METADATA"
        )
        path = self.folder / "path"
        path.mkdir(exist_ok=True)
        with contextlib.suppress(FileExistsError):
            # The harness is not installed there: its metadata, which name its plugins, and its packages.
            (path / Path(str(installed)).parent.name).symlink_to(Path(str(installed.locate())).parent)
        temporary = self.folder / "tmp"
        temporary.mkdir(exist_ok=True)
        return subprocess.run(
            [environment_python("trl-vllm-cpu"), "-m", "harness", *arguments],
            cwd=self.folder,
            env={
                **{name: value for name, value in os.environ.items() if not name.startswith("PYTHON")},
                **{name: value for name, value in SMALL.items() if name != "TORCHDYNAMO_DISABLE"},
                "PYTHONPATH": os.pathsep.join(
                    map(str, (path, ROOT, ROOT / "plugins", ROOT / "sandboxes" / "runner"))
                ),
                "HARNESS_CACHE": str(self.folder / "cache"),
                "OMP_NUM_THREADS": "1",
                # TRL has no field for `enforce_eager`; this leaves the compiler of C++ out.
                "VLLM_CPU_CI_ENV": "1",
                "VLLM_CACHE_ROOT": str(self.folder / "vllm"),
                "TORCHINDUCTOR_CACHE_DIR": str(self.folder / "inductor"),
                "TMPDIR": str(temporary),
                MARK: self.mark,
                **environment,
            },
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=1200,
        )  # fmt: skip


def studied(folder: Path, recipe: str = RECIPE) -> Studied:
    (folder / "recipe.toml").write_text(recipe)
    shutil.copy(ROOT / "tests" / "support" / "vllm_spy.py", folder / "harness_plugin.py")
    return Studied(folder, uuid.uuid4().hex)


def log(study: Studied) -> str:
    file = study.run / "log.txt"
    return file.read_text()[-4000:] if file.exists() else "no log"


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Studied:
    """The recipe, run to its end."""
    study = studied(tmp_path_factory.mktemp("colocate"))
    done = study.harness("run", "recipe.toml")
    assert done.returncode == 0, done.stdout + done.stderr + log(study)
    return study


def test_every_completion_of_training_is_vllms(study: Studied) -> None:
    served = [row for call in study.generated for row in call["served"]]
    asked = [(list(r.prompt_ids), list(r.completion_ids)) for r in study.rollouts]
    assert asked == [(row["prompt"], row["completion"]) for row in served]
    stages = [rollout.policy.stage or "first" for rollout in study.rollouts]
    assert len({tuple(r.completion_ids) for r in study.rollouts}) > 20
    assert stages.count("first") >= 2 * 24
    for rollout, row in zip(study.rollouts, served, strict=True):
        # Only at temperature 1 vLLM's probabilities are the policy's own.
        own = rollout.sampling.temperature == 1
        assert rollout.logprobs == (tuple(row["logprobs"]) if own else None)


def test_both_stages_have_the_same_vllm_under_their_own_settings(study: Studied) -> None:
    assert {call["llm"] for call in study.generated} == {0}
    settings = [(call["temperature"], call["max_tokens"]) for call in study.generated]
    assert list(dict.fromkeys(settings)) == [(1.0, 24), (1.3, 20)]


def test_it_samples_from_the_weights_of_the_step_before(study: Studied) -> None:
    fits_the_policies_of_the_ledger(study)


def test_adapters_reach_it_too(tmp_path: Path) -> None:
    adapted = RECIPE.replace("[tasks]", "[model.lora]\nrank = 8\nalpha = 8\n[tasks]", 1).replace(
        "lr = 2e-4", "lr = 5e-3"
    )
    study = studied(tmp_path, adapted)
    done = study.harness("run", "recipe.toml")
    assert done.returncode == 0, done.stdout + done.stderr + log(study)
    fits_the_policies_of_the_ledger(study)


def fits_the_policies_of_the_ledger(study: Studied) -> None:
    """Of all policies of the run, each step's rollouts fit best the one that the ledger names."""
    from transformers import AutoModelForCausalLM

    folders = {("", 0): ROOT / "plugins" / "harness_torch" / "models" / "chain-334k"}
    for stage, step in (("first", 1), ("first", 2), ("second", 1)):
        folders[stage, step] = study.run / "checkpoints" / f"{stage}-{step:06d}" / "model"
    models = {
        name: AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
        for name, folder in folders.items()
    }
    rows = [row for call in study.generated for row in call["served"]]
    by_policy: dict[tuple[str, int], list[tuple[Rollout, list[float]]]] = {}
    for rollout, row in zip(study.rollouts, rows, strict=True):
        by_policy.setdefault((rollout.policy.stage, rollout.policy.step), []).append(
            (rollout, row["logprobs"])
        )
    assert list(by_policy) == list(models), "one policy a step"
    for sampler, sampled in by_policy.items():
        theirs = torch.tensor([logprob for _, of in sampled for logprob in of])
        rollouts = [rollout for rollout, _ in sampled]
        errors = {name: float((logprobs(m, rollouts) - theirs).abs().mean()) for name, m in models.items()}
        own = errors.pop(sampler)
        print(sampler, f"own {own:.4f}", {name: round(error, 4) for name, error in errors.items()})
        assert own < 0.05
        assert own < 0.5 * min(errors.values())


def logprobs(model: Any, rollouts: Sequence[Rollout]) -> torch.Tensor:
    """Of all completion tokens, one rollout after another, at the rollouts' temperature."""
    rows = [torch.tensor([*r.prompt_ids, *r.completion_ids]) for r in rollouts]
    # What stands behind a row's end cannot be seen from its tokens.
    ids = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)
    with torch.no_grad():
        every = (model(ids).logits / rollouts[0].sampling.temperature).log_softmax(-1)
    each = every[:, :-1].gather(2, ids[:, 1:, None])[..., 0]
    return torch.cat(
        [row[len(r.prompt_ids) - 1 :][: len(r.completion_ids)] for row, r in zip(each, rollouts, strict=True)]
    )


def test_steps_are_taken_as_the_recipe_says(study: Studied) -> None:
    metrics = [line["metrics"] for line in ledger.read(study.run / "ledger.jsonl") if line["t"] == "step"]
    assert [(m["stage"], m["step"]) for m in metrics] == [
        ("first", 1),
        ("first", 2),
        ("second", 1),
        ("second", 2),
    ]
    assert all(m["grad_norm"] > 0 for m in metrics)
    assert [m.get("kl") is None for m in metrics] == [True, True, False, False]


def test_a_run_killed_in_the_second_stage_ends_with_the_numbers_of_an_unbroken_one(
    study: Studied, tmp_path: Path
) -> None:
    """vLLM is made anew from the checkpoint, and draws what it would have drawn."""
    broken = studied(tmp_path)
    assert broken.harness("run", "recipe.toml", VLLM_SPY_KILL="second:1").returncode != 0
    kinds = {line["t"] for line in ledger.read(broken.run / "ledger.jsonl")}
    assert "finished" not in kinds
    done = broken.harness("run", "--resume", "runs/colocate-1")
    assert done.returncode == 0, done.stdout + done.stderr + log(broken)
    assert first_difference(numbers(broken.run), numbers(study.run)) is None
    assert not left(broken)


def test_nothing_is_left_of_it(study: Studied) -> None:
    (end,) = (call for call in study.calls if "environment" in call)
    assert end["environment"].keys() <= os.environ.keys(), (
        "programs of the harness think torchrun started them"
    )
    assert not left(study)
    assert not [name for call in study.generated for name in call["shared"] if Path(name).exists()]
    # Torch keeps headers there that it compiled.
    assert [f for f in (study.folder / "tmp").iterdir() if not f.name.startswith("torchinductor_")] == []
    assert "destroy_process_group" not in (study.run / "log.txt").read_text()


def left(study: Studied) -> list[str]:
    """Commands of a study's processes that run still."""
    return running_with(f"{MARK}={study.mark}")
