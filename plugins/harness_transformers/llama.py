"""Llama as a plain function of its weights.

A group's G completions share their prompt. Everything here is built on that: a prompt goes through
the layers once, and its keys and values serve all of its completions, in generation
(`decoder.py`) and in training alike. Query, key and value matrices (and the MLP's gate and up
matrices) are stored as one each, so that a layer is four matrix products; the transformers module's
own parameters become views of that storage, so that it always has the live weights and can save them.

Shapes: P prompts, G completions per prompt, T tokens, d model width, H heads, K key-value heads, D width
of a head.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

#: Scalings of rotary positions whose frequencies do not depend on the sequence's length.
_STATIC_ROPE = frozenset({"default", "linear", "llama3", "yarn"})


@dataclass(frozen=True, slots=True)
class LayerWeights:
    """One layer. Matrices are (out, in), as `torch.nn.functional.linear` takes them."""

    attention_norm: Tensor
    #: Rows: H query heads, K key heads, K value heads, D rows each.
    qkv: Tensor
    qkv_bias: Tensor | None
    output: Tensor
    output_bias: Tensor | None
    mlp_norm: Tensor
    #: Rows: gate, then up.
    gate_up: Tensor
    gate_up_bias: Tensor | None
    down: Tensor
    down_bias: Tensor | None

    def matrices_in(self, dtype: torch.dtype) -> LayerWeights:
        """The same layer with its matrices in another precision; norms stay as they are."""
        changes = {
            f.name: value.to(dtype)
            for f in fields(self)
            if not f.name.endswith("norm") and (value := getattr(self, f.name)) is not None
        }
        return replace(self, **changes)


@dataclass(frozen=True, slots=True)
class LlamaWeights:
    """All weights, and the few numbers that say how to use them."""

    layers: tuple[LayerWeights, ...]
    embedding: Tensor
    head: Tensor
    norm: Tensor
    heads: int
    kv_heads: int
    head_width: int
    epsilon: float
    #: Rotary frequencies (D / 2,), and the factor that YaRN scales cosines and sines by.
    frequencies: Tensor
    rope_scale: float

    def matrices_in(self, dtype: torch.dtype) -> LlamaWeights:
        """A copy that computes its matrix products in `dtype`; itself if it already does."""
        if self.head.dtype == dtype:
            return self
        layers = tuple(layer.matrices_in(dtype) for layer in self.layers)
        return replace(self, layers=layers, head=self.head.to(dtype))

    def parameters(self) -> list[Tensor]:
        """The trainable tensors, each once."""
        tensors = [self.embedding, self.norm]
        for layer in self.layers:
            tensors += [value for f in fields(layer) if (value := getattr(layer, f.name)) is not None]
        return tensors if self.head is self.embedding else [*tensors, self.head]


def is_llama(config: Any) -> bool:
    """Whether `llama_weights` understands a model of this transformers config."""
    rope = getattr(config, "rope_parameters", None) or {}
    return (
        config.model_type == "llama"
        and config.hidden_act == "silu"
        and rope.get("rope_type", "default") in _STATIC_ROPE
    )


def llama_weights(model: nn.Module) -> LlamaWeights:
    """Take over the weights of a transformers `LlamaForCausalLM`, whose parameters become views of them."""
    module = cast(Any, model)
    config, body = module.config, module.model
    layers = []
    for layer in body.layers:
        attention, mlp = layer.self_attn, layer.mlp
        qkv, qkv_bias = _fuse([attention.q_proj, attention.k_proj, attention.v_proj])
        gate_up, gate_up_bias = _fuse([mlp.gate_proj, mlp.up_proj])
        layers.append(
            LayerWeights(
                attention_norm=layer.input_layernorm.weight,
                qkv=qkv,
                qkv_bias=qkv_bias,
                output=attention.o_proj.weight,
                output_bias=attention.o_proj.bias,
                mlp_norm=layer.post_attention_layernorm.weight,
                gate_up=gate_up,
                gate_up_bias=gate_up_bias,
                down=mlp.down_proj.weight,
                down_bias=mlp.down_proj.bias,
            )
        )
    return LlamaWeights(
        layers=tuple(layers),
        embedding=body.embed_tokens.weight,
        head=module.lm_head.weight,
        norm=body.norm.weight,
        heads=config.num_attention_heads,
        kv_heads=config.num_key_value_heads,
        head_width=attention.head_dim,
        epsilon=config.rms_norm_eps,
        frequencies=body.rotary_emb.inv_freq.float(),
        rope_scale=float(body.rotary_emb.attention_scaling),
    )


def _fuse(linears: list[nn.Linear]) -> tuple[Tensor, Tensor | None]:
    """One parameter for several linear layers of the same input; their own become views of it."""
    weight = nn.Parameter(torch.cat([linear.weight.detach() for linear in linears]))
    _share(weight, [linear.weight for linear in linears])
    if linears[0].bias is None:
        return weight, None
    bias = nn.Parameter(torch.cat([linear.bias.detach() for linear in linears]))
    _share(bias, [linear.bias for linear in linears])
    return weight, bias


def _share(fused: Tensor, parts: list[Tensor]) -> None:
    start = 0
    for part in parts:
        part.data = fused.data[start : start + part.shape[0]]
        start += part.shape[0]


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """A matrix product in the weight's precision."""
    return F.linear(x.to(weight.dtype), weight, bias)


def normed(x: Tensor, weight: Tensor, epsilon: float) -> Tensor:
    return F.rms_norm(x, (x.shape[-1],), weight, epsilon)


def rotary(w: LlamaWeights, positions: Tensor) -> tuple[Tensor, Tensor]:
    """Cosines and signed sines of positions (...), each (..., 1, D), for `qkv_heads`."""
    angles = positions[..., None].float() * w.frequencies
    cos, sin = angles.cos() * w.rope_scale, angles.sin() * w.rope_scale
    return torch.cat((cos, cos), -1).unsqueeze(-2), torch.cat((-sin, sin), -1).unsqueeze(-2)


def qkv_heads(
    w: LlamaWeights, layer: LayerWeights, x: Tensor, turn: tuple[Tensor, Tensor]
) -> tuple[Tensor, Tensor, Tensor]:
    """Queries (..., H, D), keys and values (..., K, D) of hidden states (..., d), positions applied."""
    mixed = linear(normed(x, layer.attention_norm, w.epsilon), layer.qkv, layer.qkv_bias)
    mixed = mixed.view(*mixed.shape[:-1], w.heads + 2 * w.kv_heads, w.head_width)
    turned, values = torch.split(mixed, [w.heads + w.kv_heads, w.kv_heads], -2)
    cos, sin = turn
    # x cos + rotate_half(x) sin, with rotate_half's sign moved into the sine.
    turned = torch.addcmul(turned * cos, turned.roll(w.head_width // 2, -1), sin).to(mixed.dtype)
    queries, keys = torch.split(turned, [w.heads, w.kv_heads], -2)
    return queries, keys, values


def after_attention(w: LlamaWeights, layer: LayerWeights, x: Tensor, attended: Tensor) -> Tensor:
    """The rest of a layer: output matrix, residual, MLP. `attended` is (..., H * D)."""
    x = x + linear(attended, layer.output, layer.output_bias)
    gate, up = linear(normed(x, layer.mlp_norm, w.epsilon), layer.gate_up, layer.gate_up_bias).chunk(2, -1)
    return x + linear(F.silu(gate) * up, layer.down, layer.down_bias)


def logits_of(w: LlamaWeights, x: Tensor) -> Tensor:
    """Logits (..., vocabulary) of last hidden states (..., d), in fp32."""
    return linear(normed(x, w.norm, w.epsilon), w.head).float()


@dataclass(frozen=True, slots=True)
class Packing:
    """Where the tokens of padded rows stand in a packed sequence, and back.

    Matrix products run over packed tokens, so that padding costs nothing but in attention.
    """

    #: Which positions of (rows, longest) are tokens.
    mask: Tensor
    #: Packed index of every position, any token's if there is none: (rows * longest,).
    pad: Tensor
    #: Position, in the flattened rows, of every token: (tokens,).
    tokens: Tensor

    @classmethod
    def of(cls, lengths: Tensor, longest: int) -> Packing:
        """The packing of rows of these lengths, padded on the right."""
        mask = torch.arange(longest, device=lengths.device) < lengths[:, None]
        flat = mask.flatten()
        return cls(mask, (flat.cumsum(0) - 1).clamp(min=0), flat.nonzero().squeeze(1))

    def padded(self, packed: Tensor) -> Tensor:
        """(tokens, ...) to (rows, longest, ...)."""
        return packed.index_select(0, self.pad).view(*self.mask.shape, *packed.shape[1:])

    def packed(self, padded: Tensor) -> Tensor:
        """(rows, longest, ...) to (tokens, ...)."""
        return padded.flatten(0, 1).index_select(0, self.tokens)

    @property
    def bias(self) -> Tensor:
        """0 at tokens, -inf at padding: (rows, longest)."""
        zeros = torch.zeros(self.mask.shape, device=self.mask.device)
        return zeros.masked_fill(~self.mask, float("-inf"))


@dataclass(frozen=True, slots=True)
class Prefix:
    """What completions need of their prompts."""

    #: One of each a layer, packed: (prompt tokens, K, D).
    keys: list[Tensor]
    values: list[Tensor]
    #: Prompt lengths, (P,).
    lengths: Tensor
    packing: Packing
    #: Last layer's hidden state of each prompt's last token, (P, d).
    last: Tensor


def prefill(w: LlamaWeights, prompts: Tensor, lengths: Tensor) -> Prefix:
    """Run prompts (P, longest) once, padded on the right: a causal query never sees what is after it.

    The last layer computes only what completions need: all keys and values, one query per prompt.
    """
    packing = Packing.of(lengths, prompts.shape[1])
    turn = rotary(w, packing.tokens % prompts.shape[1])
    x = F.embedding(prompts[packing.mask], w.embedding)
    keys, values = [], []
    for layer in w.layers[:-1]:
        q, k, v = qkv_heads(w, layer, x, turn)
        keys.append(k)
        values.append(v)
        attended = attention(w, packing.padded(q), packing.padded(k), packing.padded(v), None)
        x = after_attention(w, layer, x, packing.packed(attended))
    layer = w.layers[-1]
    q, k, v = qkv_heads(w, layer, x, turn)
    keys.append(k)
    values.append(v)
    ends = lengths.cumsum(0) - 1
    attended = attention(
        w, q[ends, None], packing.padded(k), packing.padded(v), packing.bias[:, None, None].to(q.dtype)
    )
    last = after_attention(w, layer, x[ends], attended.squeeze(1))
    return Prefix(keys, values, lengths, packing, last)


def attention(w: LlamaWeights, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
    """Attention of (rows, queries, H, D) to (rows, keys, K, D): (rows, queries, H * D); causal without
    a mask."""
    attended = F.scaled_dot_product_attention(
        q.transpose(1, 2),
        k.transpose(1, 2),
        v.transpose(1, 2),
        attn_mask=mask,
        is_causal=mask is None,
        enable_gqa=w.heads != w.kv_heads,
    )
    return attended.transpose(1, 2).flatten(2)


def completion_states(w: LlamaWeights, prefix: Prefix, completions: Tensor, mask: Tensor) -> Tensor:
    """Hidden states (tokens, d) that predict the completion tokens where `mask` is true, in its order.

    Completions and mask are (P, G, T), padded on the right. The first token of a completion is
    predicted by its prompt's last state, every other one by the token before it.
    """
    prompts, group, _ = completions.shape
    device = completions.device
    counts = mask.sum(-1).flatten()
    if int(counts.max()) <= 1:
        return prefix.last.repeat_interleave(group, 0)[counts > 0]
    inputs = (counts - 1).clamp(min=0)
    packing = Packing.of(inputs, int(inputs.max()))
    width = packing.mask.shape[1]
    before = prefix.lengths.repeat_interleave(group)
    steps = torch.arange(width, device=device)
    turn = rotary(w, packing.packed(before[:, None] + steps))
    # A row's keys are its prompt's and then its own, without a gap: where each stands in both, packed.
    spots = torch.arange(int((before + inputs).max()), device=device)
    starts = (prefix.lengths.cumsum(0) - prefix.lengths).repeat_interleave(group)
    total = int(prefix.lengths.sum())
    own_starts = total + inputs.cumsum(0) - inputs - before
    places = torch.where(spots < before[:, None], starts[:, None] + spots, own_starts[:, None] + spots)
    places = places.clamp(max=total + int(inputs.sum()) - 1).flatten()
    hidden = spots > (before[:, None] + steps)[..., None]
    bias = torch.zeros(hidden.shape, device=device).masked_fill(hidden, float("-inf"))[:, None]
    x = F.embedding(completions[..., :width].flatten(0, 1)[packing.mask], w.embedding)
    for layer, prompt_keys, prompt_values in zip(w.layers, prefix.keys, prefix.values, strict=True):
        q, k, v = qkv_heads(w, layer, x, turn)
        k, v = (
            torch.cat((shared, own)).index_select(0, places).view(prompts * group, -1, *own.shape[1:])
            for shared, own in ((prompt_keys, k), (prompt_values, v))
        )
        attended = attention(w, packing.padded(q), k, v, bias.to(q.dtype))
        x = after_attention(w, layer, x, packing.packed(attended))
    states = torch.cat((prefix.last, x))
    first = torch.arange(prompts, device=device).repeat_interleave(group)
    source = torch.cat((first[:, None], prompts + packing.pad.view(packing.mask.shape)), 1)
    return states.index_select(0, source[mask.flatten(0, 1)[:, : width + 1]])
