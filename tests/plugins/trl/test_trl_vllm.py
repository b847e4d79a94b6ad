"""vLLM's modes through TRL: made once, under each stage's settings, with TRL's own correction.

vLLM itself needs another environment. In its place stands a sampler with the interface of TRL's
`VLLMGeneration` that really samples from the live weights; everything else is TRL's.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from harness_torch.random_llama import RandomLlama, RandomLlamaOptions
from harness_transformers.lora import open_lora
from harness_trl.vllm import SET, following

from harness.plugging.plugins import Plugins
from harness.recipe import LoraOptions
from harness.testing import Workbench
from tests.plugins.torch.test_torch_conformance import problems
from tests.plugins.trl.test_trl_conformance import TestTrl as Suite
from tests.support.builders import context

pytest.importorskip("trl", reason="needs the extra 'trl'")


class Sampler:
    """Samples as `VLLMGeneration.generate` does, token by token, and says what it was made and asked for."""

    made: ClassVar[list[Sampler]] = []

    def __init__(self, **settings: Any) -> None:
        self.settings = settings
        for name in ("model", "accelerator", "temperature", "top_p", "top_k", "max_completion_length"):
            setattr(self, name, settings[name])
        self.eos = settings["processing_class"].eos_token_id
        # As TRL does, and as vLLM's CPU build does.
        os.environ |= {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "1", "LOCAL_WORLD_SIZE": "1"}
        os.environ |= {"MASTER_ADDR": "localhost", "MASTER_PORT": "29871", "LD_PRELOAD": "libnone.so"}
        self.syncs = 0
        self.asked: list[tuple[float, int, int]] = []
        Sampler.made.append(self)

    def sync_weights(self) -> None:
        self.syncs += 1

    @torch.no_grad()
    def generate(self, prompts: list[list[int]], images: None, num_generations: int, profiler: Any) -> Any:
        self.asked.append((self.temperature, self.max_completion_length, num_generations))
        # As vLLM's n: the copies of a prompt stand together.
        assert all(prompts[i] == prompts[i - i % num_generations] for i in range(len(prompts)))
        completions, logprobs = [], []
        for prompt in prompts:
            ids, known = list(prompt), []
            while len(known) < self.max_completion_length and (not known or ids[-1] != self.eos):
                logits = self.model(torch.tensor([ids])).logits[0, -1] / self.temperature
                shares = logits.log_softmax(-1)
                ids.append(int(torch.multinomial(shares.exp(), 1)))
                known.append([float(shares[ids[-1]])])
            completions.append(ids[len(prompt) :])
            logprobs.append(known)
        return prompts, completions, logprobs, None


@pytest.fixture
def bench(harness_plugins: Plugins, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workbench:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("trl.trainer.grpo_trainer.VLLMGeneration", Sampler)
    Sampler.made.clear()
    problems(tmp_path)
    return Workbench(tmp_path, harness_plugins)


def test_one_vllm_serves_all_stages_under_their_own_settings(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = {
        "name": "trl",
        "grpo": {"use_vllm": True, "vllm_mode": "colocate", "vllm_enable_sleep_mode": True},
    }
    second = {"max_steps": 2, "rollout": {"n": 4, "batch": 3, "temperature": 0.7, "max_tokens": 3}}
    monkeypatch.setenv("MASTER_PORT", "1")
    before = dict(os.environ)
    record = bench.run(Suite().recipe({"max_steps": 2}, second, trainer=trainer))
    (sampler,) = Sampler.made
    assert sampler.settings["mode"] == "colocate"
    assert sampler.settings["enable_sleep_mode"] is True
    assert sampler.asked == [(1.0, 6, 16)] * 2 + [(0.7, 3, 4)] * 2
    assert sampler.syncs == 4, "once before each step's first completions, with the weights of that step"
    groups = Suite.groups(record, "stage2")
    assert [g.size for g in groups] == [4] * 6
    assert all(length <= 3 for g in groups for length in g.lengths)
    assert [m.step for m in record.metrics()] == [1, 2, 1, 2]
    assert {name: os.environ.get(name) for name in SET} == {name: before.get(name) for name in SET}
    # The sampler's probabilities are the policy's own only where nothing distorts them.
    for stage, known in (("stage1", True), ("stage2", False)):
        for group in Suite.groups(record, stage):
            assert all((rollout.logprobs is not None) == known for rollout in group.rollouts)


def test_trls_correction_gets_the_samplers_own_probabilities(bench: Workbench) -> None:
    """The sampler has the weights' own: the correction is 1, and the loss that of no correction."""
    losses = []
    for correction in (True, False):
        grpo = {"use_vllm": True, "vllm_importance_sampling_correction": correction}
        recipe = Suite().recipe({"max_steps": 1}, trainer={"name": "trl", "grpo": grpo})
        losses.append(bench.run(recipe, f"run-{correction}").metrics()[0])
    assert losses[0].reward_mean == losses[1].reward_mean
    assert losses[0].loss == pytest.approx(losses[1].loss, abs=1e-6)
    assert losses[0].grad_norm == pytest.approx(losses[1].grad_norm, rel=1e-4)


def test_refills_are_asked_of_vllm_too(bench: Workbench) -> None:
    recipe = Suite().recipe(
        {"max_steps": 1, "gates": [{"name": "mixed-outcomes", "max_refills": 50}]},
        trainer={"name": "trl", "grpo": {"use_vllm": True}},
    )
    record = bench.run(recipe)
    assert record.metrics()[0].discarded_groups > 0
    assert len(Sampler.made[0].asked) > 1
    assert all(group.mixed for group in Suite.groups(record, "stage1"))


def test_sending_adapters_leaves_their_base_as_it_was(tmp_path: Path) -> None:
    """TRL adds them in place and subtracts them again, which rounds."""
    pytest.importorskip("peft", reason="needs the extra 'lora'")
    from trl import GRPOConfig

    files = RandomLlama(RandomLlamaOptions(width=16, layers=1, heads=2), context(cache=tmp_path)).load()
    network = open_lora(files.path, None, LoraOptions(rank=4), seed=0, device="cpu", precision="fp32")
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter.data)
    before = {name: tensor.clone() for name, tensor in network.module.state_dict().items()}

    def moved() -> list[str]:
        return [n for n, tensor in network.module.state_dict().items() if not torch.equal(tensor, before[n])]

    class Sending:
        def sync_weights(self) -> None:
            network.peft.merge_adapter()
            assert moved()
            network.peft.unmerge_adapter()
            assert moved(), "so that this test is about something"

    following(Sending(), GRPOConfig(use_vllm=False, bf16=False, use_cpu=True), network).sync_weights()
    assert not moved()
