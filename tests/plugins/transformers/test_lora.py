"""Adapters: where they begin, what they are saved as, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("peft", reason="needs the extra 'lora'")

import torch
from harness_torch.random_llama import RandomLlama, RandomLlamaOptions
from harness_transformers import lora
from harness_transformers.network import Network, open_module, open_network
from safetensors.torch import load_file

from harness.contract.errors import CapabilityError, DataError, TrainingError
from harness.planning.plan import make_plans
from harness.plugging import requirements
from harness.plugging.plugins import load
from harness.recipe import LoraOptions, load_recipe
from tests.support.builders import context
from tests.support.recipes import TORCH, write

OPTIONS = LoraOptions(rank=2, alpha=6)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    options = RandomLlamaOptions(width=16, layers=2, heads=2, mlp_width=32)
    return RandomLlama(options, context(cache=tmp_path_factory.mktemp("cache"))).load().path


def network(
    base: Path, adapter: Path | None = None, *, seed: int = 0, options: LoraOptions = OPTIONS
) -> lora.LoraNetwork:
    return lora.open_lora(base, adapter, options, seed=seed, device="cpu", precision="fp32")


def learn(net: lora.LoraNetwork) -> None:
    """Move every weight that may move."""
    noise = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter += 0.1 * torch.randn(parameter.shape, generator=noise)


def score(net: Network) -> torch.Tensor:
    ids = torch.tensor([[3, 4, 5]])
    mask = torch.ones(1, 1, 3, dtype=torch.bool)
    with torch.no_grad():
        return net.score(ids, torch.tensor([3]), ids[None], mask)


def test_it_begins_as_the_base_and_the_seed_says_where_it_goes(base: Path, tmp_path: Path) -> None:
    assert torch.equal(score(network(base)), score(open_network(base, own_decoder=False)))
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        torch.manual_seed(ord(name))
        lora.begin(base, OPTIONS, tmp_path / name, seed=seed)
    one, same, other = (load_file(tmp_path / n / "adapter_model.safetensors") for n in "abc")
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert any(not torch.equal(one[name], other[name]) for name in one)
    assert all(not one[name].any() for name in one if "lora_B" in name)


def test_beginning_one_draws_nothing_from_the_global_state(base: Path) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    network(base)
    assert torch.equal(torch.rand(3), expected)


def test_only_adapters_learn(base: Path) -> None:
    net = network(base, options=LoraOptions(rank=2, targets=("q_proj",)))
    names = [name for name, p in net.module.named_parameters() if p.requires_grad]
    assert len(names) == len(net.parameters()) == 4
    assert all("q_proj.lora_" in name for name in names)


def test_a_saved_policy_is_what_was_trained_and_saving_changes_nothing(base: Path, tmp_path: Path) -> None:
    net = network(base)
    learn(net)
    before = {name: tensor.clone() for name, tensor in net.module.state_dict().items()}
    expected = score(net)
    net.save(tmp_path)
    after = net.module.state_dict()
    assert all(torch.equal(after[name], before[name]) for name in before)
    assert torch.allclose(score(open_network(tmp_path / "model")), expected, atol=1e-5)
    assert torch.equal(score(network(base, tmp_path / "adapter")), expected)
    # The same names, and all else as it was.
    saved, plain = (load_file(folder / "model.safetensors") for folder in (tmp_path / "model", base))
    assert saved.keys() == plain.keys()
    assert torch.equal(saved["model.embed_tokens.weight"], plain["model.embed_tokens.weight"])
    lora.merge(base, tmp_path / "adapter", tmp_path / "again")
    assert load_file(tmp_path / "again" / "model.safetensors").keys() == plain.keys()
    again = open_module(tmp_path / "again").state_dict()
    assert all(
        torch.equal(t, again[name]) for name, t in open_module(tmp_path / "model").state_dict().items()
    )


@pytest.mark.parametrize(
    ("targets", "words"),
    [
        (("query",), "query"),
        (("q_proj", "v_porj"), r"no module is called 'v_porj'(.|\n)*v_proj"),
        (("q_proj", "lm_head"), "'lm_head' is the output layer"),
        (("q_proj", "embed_tokens"), "embed_tokens' is no plain linear layer"),
        (("input_layernorm",), "input_layernorm"),
    ],
)
def test_targets_that_cannot_be_adapted_are_named(base: Path, targets: tuple[str, ...], words: str) -> None:
    with pytest.raises(TrainingError, match=words) as told:
        network(base, options=LoraOptions(targets=targets))
    assert "model.lora.targets" in str(told.value)


def test_packed_experts_are_refused_before_anything_is_trained(tmp_path: Path) -> None:
    from transformers import Qwen3MoeConfig, Qwen3MoeForCausalLM

    config = Qwen3MoeConfig(
        vocab_size=32, hidden_size=16, intermediate_size=32, moe_intermediate_size=16, num_hidden_layers=1,
        num_attention_heads=2, num_key_value_heads=2, num_experts=2, num_experts_per_tok=1,
    )  # fmt: skip
    Qwen3MoeForCausalLM(config).save_pretrained(tmp_path / "moe")
    with pytest.raises(TrainingError, match="is no plain linear layer"):
        network(tmp_path / "moe", options=LoraOptions(rank=2, targets=("gate_proj", "up_proj", "down_proj")))


def test_conv1d_layers_are_added_up_the_right_way_round(tmp_path: Path) -> None:
    from transformers import GPT2Config, GPT2LMHeadModel

    config = GPT2Config(vocab_size=32, n_positions=16, n_embd=16, n_layer=1, n_head=2)
    GPT2LMHeadModel(config).save_pretrained(tmp_path / "gpt2")
    net = network(tmp_path / "gpt2")
    learn(net)
    net.save(tmp_path)
    assert torch.allclose(score(open_network(tmp_path / "model")), score(net), atol=1e-5)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (LoraOptions(rank=4, alpha=6), "adapter has rank 2, the recipe 4"),
        (LoraOptions(rank=2, alpha=4), "adapter has alpha 6, the recipe 4"),
    ],
)
def test_an_adapter_goes_on_as_it_began(base: Path, tmp_path: Path, options: LoraOptions, words: str) -> None:
    lora.begin(base, OPTIONS, tmp_path / "adapter", seed=0)
    with pytest.raises(TrainingError, match=words):
        network(base, tmp_path / "adapter", options=options)


def test_a_checkpoint_without_an_adapter_is_named(base: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="the checkpoint has no adapter"):
        network(base, tmp_path / "adapter")


@pytest.mark.parametrize("name", ["adapter_config.json", "adapter_model.safetensors"])
def test_a_damaged_adapter_is_named(base: Path, tmp_path: Path, name: str) -> None:
    lora.begin(base, OPTIONS, tmp_path / "adapter", seed=0)
    file = tmp_path / "adapter" / name
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    with pytest.raises(DataError, match="the adapter cannot be read: "):
        network(base, tmp_path / "adapter")


def test_without_peft_the_plan_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = requirements._version
    monkeypatch.setattr(requirements, "_version", lambda name: None if name == "peft" else real(name))
    with pytest.raises(CapabilityError, match=r"LoRA needs peft") as told:
        make_plans(load_recipe(write(tmp_path, TORCH), ["model.lora.rank=4"]), load())
    assert "pip install 'staged-harness[lora]'" in str(told.value)


def test_the_adapters_own_file_says_what_it_is_for(base: Path, tmp_path: Path) -> None:
    lora.begin(base, OPTIONS, tmp_path, seed=0)
    config = json.loads((tmp_path / "adapter_config.json").read_text())
    assert Path(config["base_model_name_or_path"]) == base
    assert (config["r"], config["lora_alpha"], config["lora_dropout"]) == (2, 6, 0.0)
