"""Our own Llama forward gives transformers' numbers: scoring, decoding, gradients, packing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from harness_torch.random_llama import RandomLlamaOptions, write_random_llama
from harness_transformers.decoder import LlamaDecoding
from harness_transformers.fused import FusedDecoding, Memory
from harness_transformers.network import CausalNetwork, LlamaNetwork, Network, open_network
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

from harness.contract.errors import DataError

torch.set_num_threads(1)

PROMPT_LENGTHS = (5, 9, 2, 1)
GROUP, TOKENS = 3, 7

#: How completions are decoded: compiled loops, torch's operations, transformers' forward.
WAYS = pytest.mark.parametrize("way", ["fused", "torch", "transformers"])


def opened(folder: Path, way: str, **options: Any) -> Network:
    return open_network(folder, own_decoder=way != "transformers", fused=way == "fused", **options)


@pytest.fixture(scope="module", params=["plain", "grouped-query"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model")
    kv_heads = {"plain": None, "grouped-query": 2}[request.param]
    # Large initial weights, so that attention is far from uniform.
    write_random_llama(
        RandomLlamaOptions(
            width=64, layers=3, heads=4, kv_heads=kv_heads, mlp_width=48, initializer_range=0.3
        ),
        path,
    )
    return path


@pytest.fixture(scope="module")
def reference(folder: Path) -> Any:
    return AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager").eval()


@pytest.fixture(scope="module")
def batch() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    prompts = torch.randint(3, 16, (len(PROMPT_LENGTHS), max(PROMPT_LENGTHS)), generator=generator)
    completions = torch.randint(3, 16, (len(PROMPT_LENGTHS), GROUP, TOKENS), generator=generator)
    counts = torch.tensor([[1, 7, 3], [4, 4, 4], [7, 1, 2], [5, 6, 7]])
    return {
        "prompts": prompts,
        "lengths": torch.tensor(PROMPT_LENGTHS),
        "completions": completions,
        "mask": torch.arange(TOKENS) < counts[..., None],
    }


def alone(reference: Any, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    """Logits of every completion token from a forward pass of that row alone, without padding."""
    parts = []
    for p, length in enumerate(PROMPT_LENGTHS):
        for g in range(GROUP):
            ids = torch.cat((batch["prompts"][p, :length], batch["completions"][p, g]))
            logits = reference(ids[None]).logits[0, length - 1 : -1]
            parts.append(logits[batch["mask"][p, g]])
    return torch.cat(parts)


@pytest.mark.parametrize("own", [True, False])
def test_scores_of_padded_groups_equal_transformers(
    folder: Path, reference: Any, batch: dict[str, torch.Tensor], own: bool
) -> None:
    network = open_network(folder, own_decoder=own)
    assert isinstance(network, LlamaNetwork if own else CausalNetwork)
    torch.testing.assert_close(network.score(**batch), alone(reference, batch), atol=1e-4, rtol=0)


@WAYS
def test_decoding_equals_transformers_at_every_position(
    folder: Path, reference: Any, batch: dict[str, torch.Tensor], way: str
) -> None:
    network = opened(folder, way)
    completions = batch["completions"]
    with torch.inference_mode():
        decoding = network.decode(batch["prompts"], batch["lengths"], len(PROMPT_LENGTHS) * GROUP, TOKENS)
        full = {**batch, "mask": torch.ones_like(batch["mask"])}
        expected = alone(reference, full).view(-1, TOKENS, 16)
        torch.testing.assert_close(decoding.logits, expected[::GROUP, 0], atol=1e-4, rtol=0)
        parents = np.arange(len(PROMPT_LENGTHS)).repeat(GROUP)
        for t in range(TOKENS - 1):
            decoding.step(completions[:, :, t].flatten().numpy(), parents)
            torch.testing.assert_close(decoding.logits, expected[:, t + 1], atol=1e-4, rtol=0)
            parents = np.arange(len(expected))


@WAYS
@pytest.mark.parametrize(
    "slots",
    [
        pytest.param([[0, 2, 7, 8, 9, 10], [1, 2, 5]], id="some-end"),
        pytest.param([[0, 0, 1, 4, 4, 4, 11], [2, 2, 6]], id="some-part"),
        pytest.param([[7], [0, 0, 0]], id="one-goes-on"),
        pytest.param([list(range(11)), list(range(10)), list(range(9))], id="one-after-the-other"),
    ],
)
def test_completions_that_end_or_part_change_nothing_for_the_others(
    folder: Path, reference: Any, batch: dict[str, torch.Tensor], way: str, slots: list[list[int]]
) -> None:
    """Slots end, part and go on; each has the logits that it would have alone, from its prompt on."""
    network = opened(folder, way)
    draw = np.random.default_rng(0)
    whose = np.arange(len(PROMPT_LENGTHS)).repeat(GROUP)
    written: list[list[int]] = [[] for _ in whose]
    with torch.inference_mode():
        decoding = network.decode(batch["prompts"], batch["lengths"], len(whose), TOKENS)
        for step, parents in enumerate([whose, *map(np.array, slots)]):
            tokens = draw.integers(3, 16, len(parents))
            if step:
                whose, written = whose[parents], [written[p] for p in parents]
            written = [[*ids, int(token)] for ids, token in zip(written, tokens, strict=True)]
            logits = decoding.step(tokens, parents)
            for prompt, ids, row in zip(whose, written, logits, strict=True):
                start = batch["prompts"][prompt, : batch["lengths"][prompt]].tolist()
                expected = reference(torch.tensor([[*start, *ids]])).logits[0, -1]
                torch.testing.assert_close(row, expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize(("way", "capacity"), [("torch", 2), ("fused", 16)])
def test_cache_grows_beyond_its_first_capacity(
    folder: Path, monkeypatch: pytest.MonkeyPatch, way: str, capacity: int
) -> None:
    monkeypatch.setattr("harness_transformers.decoder._FIRST_CAPACITY", capacity)
    monkeypatch.setattr("harness_transformers.fused._FIRST_CAPACITY", capacity)
    network = opened(folder, way)
    prompts, lengths, limit = torch.tensor([[3, 4, 5]]), torch.tensor([3]), 40
    tokens = torch.randint(3, 16, (1, limit), generator=torch.Generator().manual_seed(2))
    with torch.inference_mode():
        decoding = network.decode(prompts, lengths, 1, limit)
        assert isinstance(decoding, FusedDecoding if way == "fused" else LlamaDecoding)
        for t in range(limit - 1):
            decoding.step(tokens[:, t].numpy(), np.arange(1))
        mask = torch.ones(1, 1, limit, dtype=torch.bool)
        expected = network.score(prompts, lengths, tokens[None], mask)
    torch.testing.assert_close(decoding.logits, expected[-1:], atol=1e-4, rtol=0)


def test_decodings_at_the_same_time_keep_apart(folder: Path, batch: dict[str, torch.Tensor]) -> None:
    """Memory is used again by the next decoding, never by one beside it."""
    network = open_network(folder)
    slots = np.arange(len(PROMPT_LENGTHS))

    def logits(*others: int) -> torch.Tensor:
        decodings = [network.decode(batch["prompts"], batch["lengths"], 4, TOKENS) for _ in (0, *others)]
        for t in range(3):
            for number, decoding in enumerate(decodings):
                decoding.step(batch["completions"][:, number, t].numpy(), slots)
        return decodings[0].logits

    with torch.inference_mode():
        assert torch.equal(logits(), logits(1, 2))


def test_what_memory_held_before_reaches_no_completion(
    folder: Path, batch: dict[str, torch.Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    network = open_network(folder)
    parents = np.arange(len(PROMPT_LENGTHS)).repeat(GROUP)

    def logits() -> torch.Tensor:
        decoding = network.decode(batch["prompts"], batch["lengths"], len(parents), TOKENS)
        for t in range(3):
            decoding.step(
                batch["completions"][:, :, t].flatten().numpy(), np.arange(len(parents)) if t else parents
            )
        return decoding.logits

    with torch.inference_mode():
        before = logits()
        monkeypatch.setattr(Memory, "array", lambda *a: np.full(a[2], np.nan, np.float32))
        assert torch.equal(logits(), before)


def test_gradients_equal_transformers(folder: Path, batch: dict[str, torch.Tensor]) -> None:
    own, other = open_network(folder), open_network(folder, own_decoder=False)
    weights = torch.randn(int(batch["mask"].sum()), 16, generator=torch.Generator().manual_seed(1))
    for network in (own, other):
        (network.score(**batch).log_softmax(-1) * weights).sum().backward()
    layer = own.weights.layers[1]  # type: ignore[attr-defined]
    theirs: Any = other.module.model.layers[1]  # type: ignore[union-attr]
    attention = theirs.self_attn
    fused = torch.cat([p.weight.grad for p in (attention.q_proj, attention.k_proj, attention.v_proj)])
    torch.testing.assert_close(layer.qkv.grad, fused, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(layer.down.grad, theirs.mlp.down_proj.weight.grad, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(
        own.weights.embedding.grad,  # type: ignore[attr-defined]
        other.module.model.embed_tokens.weight.grad,  # type: ignore[union-attr]
        atol=1e-3,
        rtol=1e-3,
    )


def test_module_has_the_live_weights_without_a_copy(folder: Path, tmp_path: Path) -> None:
    network = open_network(folder)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.25)
    network.changed()
    prompts, lengths = torch.tensor([[3, 4, 5]]), torch.tensor([3])
    with torch.inference_mode():
        live = network.decode(prompts, lengths, 1, 4).logits
        torch.testing.assert_close(network.module(prompts).logits[:, -1], live, atol=1e-4, rtol=0)
    network.module.save_pretrained(tmp_path)  # type: ignore[operator]
    reopened = open_network(tmp_path)
    for old, new in zip(network.parameters(), reopened.parameters(), strict=True):
        assert torch.equal(old, new)


def test_parameters_are_the_models_each_once(folder: Path) -> None:
    network = open_network(folder)
    model = AutoModelForCausalLM.from_pretrained(folder)
    assert sum(p.numel() for p in network.parameters()) == model.num_parameters()


def test_bf16_stays_near_fp32_and_follows_updates(folder: Path) -> None:
    exact, rounded = open_network(folder), open_network(folder, precision="bf16")
    prompts, lengths = torch.tensor([[3, 4, 5]]), torch.tensor([3])

    def first(network: Network) -> torch.Tensor:
        with torch.inference_mode():
            return network.decode(prompts, lengths, 1, 4).logits.softmax(-1)

    before = first(rounded)
    torch.testing.assert_close(before, first(exact), atol=0.1, rtol=0)
    assert not torch.equal(before, first(exact))
    with torch.no_grad():
        rounded.parameters()[0].mul_(3)
    rounded.changed()
    assert not torch.equal(first(rounded), before)


def test_attention_bias_and_scaled_rope(tmp_path: Path, batch: dict[str, torch.Tensor]) -> None:
    config = LlamaConfig(
        vocab_size=16, hidden_size=64, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=64, attention_bias=True, mlp_bias=True,
        initializer_range=0.3, tie_word_embeddings=False,
        rope_parameters={"rope_type": "llama3", "rope_theta": 10000.0, "factor": 4.0,
                         "low_freq_factor": 1.0, "high_freq_factor": 4.0,
                         "original_max_position_embeddings": 16},
    )  # fmt: skip
    model = LlamaForCausalLM(config)
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):
            torch.nn.init.normal_(parameter, std=0.3)
    model.save_pretrained(tmp_path)
    reference = AutoModelForCausalLM.from_pretrained(tmp_path).eval()
    network = open_network(tmp_path)
    assert isinstance(network, LlamaNetwork)
    torch.testing.assert_close(network.score(**batch), alone(reference, batch), atol=1e-4, rtol=0)
    parents = np.arange(len(PROMPT_LENGTHS)).repeat(GROUP)
    full = alone(reference, {**batch, "mask": torch.ones_like(batch["mask"])}).view(-1, TOKENS, 16)
    for way in ("fused", "torch"):
        with torch.inference_mode():
            decoding = opened(tmp_path, way).decode(batch["prompts"], batch["lengths"], len(parents), TOKENS)
            decoding.step(batch["completions"][:, :, 0].flatten().numpy(), parents)
        torch.testing.assert_close(decoding.logits, full[:, 1], atol=1e-4, rtol=0)


def test_rope_that_changes_with_length_is_left_to_transformers(tmp_path: Path) -> None:
    config = LlamaConfig(
        vocab_size=16, hidden_size=32, intermediate_size=48, num_hidden_layers=1, num_attention_heads=4,
        rope_parameters={"rope_type": "dynamic", "rope_theta": 10000.0, "factor": 2.0},
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(tmp_path)
    assert isinstance(open_network(tmp_path), CausalNetwork)


@pytest.mark.parametrize("tied", [False, True])
def test_weights_that_lack_a_tensor_are_refused_by_its_name(tmp_path: Path, tied: bool) -> None:
    config = LlamaConfig(
        vocab_size=16, hidden_size=32, intermediate_size=48, num_hidden_layers=1, num_attention_heads=4,
        tie_word_embeddings=tied,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(tmp_path)
    file = tmp_path / "model.safetensors"
    tensors = load_file(file)
    tensors.pop("lm_head.weight", None)
    save_file(tensors, file, metadata={"format": "pt"})
    if tied:
        head = open_network(tmp_path).module.get_output_embeddings().weight  # type: ignore[operator]
        assert torch.equal(head, tensors["model.embed_tokens.weight"])
    else:
        with pytest.raises(DataError, match=r"lack 1 of the model's tensors, such as 'lm_head.weight'"):
            open_network(tmp_path)
    del tensors["model.norm.weight"]
    save_file(tensors, file, metadata={"format": "pt"})
    with pytest.raises(DataError, match=r"lack \d of .*'(lm_head|model.norm).weight'") as raised:
        open_network(tmp_path)
    assert str(tmp_path) in str(raised.value)
