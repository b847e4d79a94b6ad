"""Token by token generation with a Llama, in torch operations of any device and precision.

A prompt's keys and values are stored once. Attention to them is one matrix product per chunk of the prompt's
completions (`chunks.py`), attention to a completion's own tokens one per row of its cache (`rows.py`).
"""

from __future__ import annotations

from typing import Any

import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from harness_transformers.chunks import Chunks
from harness_transformers.llama import (
    LlamaWeights,
    after_attention,
    logits_of,
    prefill,
    qkv_heads,
    rotary,
)
from harness_transformers.rows import Rows

Array = npt.NDArray[Any]

_FIRST_CAPACITY = 64


class LlamaDecoding:
    """Completions in the making, a row of the cache for each slot, and for those that are done until
    `Rows` drops them."""

    def __init__(self, w: LlamaWeights, prompts: Tensor, lengths: Tensor, limit: int) -> None:
        """Prefill prompts (P, longest), padded on the right, a slot for each, for completions of at most
        `limit` tokens."""
        self.weights = w
        prefix = prefill(w, prompts, lengths)
        self._prompt_keys = [prefix.packing.padded(k).transpose(1, 2).contiguous() for k in prefix.keys]
        self._prompt_values = [prefix.packing.padded(v).transpose(1, 2).contiguous() for v in prefix.values]
        self._padding = prefix.packing.bias[:, None, None, None]
        self.limit, self.length = limit, 0
        self.logits = logits_of(w, prefix.last)
        self.rows = Rows(len(prompts), prompts.device)
        #: Prompt and its length, of every row.
        self.prompts, self.lengths = torch.arange(len(prompts), device=prompts.device), lengths
        #: Completions' own keys and values, one a layer: (rows, K, capacity, D).
        self.keys = [self._room(k) for k in self._prompt_keys]
        self.values = [self._room(v) for v in self._prompt_values]
        self._arrange()

    def _room(self, like: Tensor) -> Tensor:
        prompts, heads, _, width = like.shape
        return like.new_empty(prompts, heads, min(self.limit, _FIRST_CAPACITY), width)

    def step(self, tokens: Array, parents: Array) -> Tensor:
        """Go on with new slots, (new slots,) both; return the next token's logits, (slots, vocabulary)."""
        appended, moved = self.rows.continued(tokens, parents)
        if moved is not None:
            self._move(moved)
        w, t = self.weights, self.length
        if t == self.keys[0].shape[2]:
            self._grow()
        turn = rotary(w, self.lengths + t)
        x = F.embedding(appended, w.embedding)
        for i, layer in enumerate(w.layers):
            q, k, v = qkv_heads(w, layer, x, turn)
            self.keys[i][:, :, t] = k
            self.values[i][:, :, t] = v
            x = after_attention(w, layer, x, self._attend(i, q, t + 1))
        self.length += 1
        self.logits = logits_of(w, self.rows.of_slots(x))
        return self.logits

    def _attend(self, i: int, q: Tensor, length: int) -> Tensor:
        """Attention of queries (rows, H, D) to prompts and own tokens: (rows, H * D)."""
        rows, heads, width = q.shape
        kv, chunks = self.weights.kv_heads, self.chunks
        per_kv = heads // kv
        # Query heads of one key-value head stand side by side. To the prompt, all rows of a chunk at once:
        # (C, K, G * H / K, D); to its own tokens, each alone: (rows, K, H / K, D).
        q = q.view(rows, kv, per_kv, width) * width**-0.5
        shared = chunks.grid(q).transpose(1, 2).flatten(2, 3) @ self.prompt_keys[i].transpose(-1, -2)
        shared = shared.view(len(shared), kv, -1, per_kv, shared.shape[-1]).transpose(1, 2) + self.padding
        own = q @ self.keys[i][:, :, :length].transpose(-1, -2)
        scores = torch.cat((chunks.rows(shared), own), -1)
        shares = scores.softmax(-1, dtype=torch.float32).to(q.dtype)
        of_shared, of_own = shares[..., :-length], shares[..., -length:]
        attended = of_own @ self.values[i][:, :, :length]
        of_prompt = chunks.grid(of_shared).transpose(1, 2).flatten(2, 3) @ self.prompt_values[i]
        of_prompt = of_prompt.view(len(of_prompt), kv, -1, per_kv, width).transpose(1, 2)
        return (attended + chunks.rows(of_prompt)).flatten(1)

    def _move(self, old: Tensor) -> None:
        for cache in (self.keys, self.values):
            for i, tensor in enumerate(cache):
                cache[i] = tensor.new_empty(len(old), *tensor.shape[1:])
                cache[i][:, :, : self.length] = tensor[:, :, : self.length].index_select(0, old)
        self.prompts, self.lengths = self.prompts[old], self.lengths[old]
        self._arrange()

    def _arrange(self) -> None:
        """Chunk the rows anew; the prompts' keys and values (C, K, longest, D) stand by chunk."""
        self.chunks = Chunks.of(self.prompts)
        of = self.chunks.prompts
        self.prompt_keys = [k.index_select(0, of) for k in self._prompt_keys]
        self.prompt_values = [v.index_select(0, of) for v in self._prompt_values]
        self.padding = self._padding.index_select(0, of)

    def _grow(self) -> None:
        capacity = min(self.limit, 2 * self.length)
        for cache in (self.keys, self.values):
            for i, old in enumerate(cache):
                cache[i] = old.new_empty(*old.shape[:2], capacity, old.shape[3])
                cache[i][:, :, : self.length] = old
