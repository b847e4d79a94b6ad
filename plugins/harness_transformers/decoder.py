"""Token by token generation with a Llama: one prefill a prompt, finished completions dropped.

Completions live in a grid of P prompts by G slots, because slots of one prompt share its keys and
values: attention to the prompt is one matrix product a prompt instead of one a completion, and the
prompt's cache is never copied. `keep` packs the grid when enough of it has finished.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from harness_transformers.llama import (
    LlamaWeights,
    after_attention,
    logits_of,
    prefill,
    qkv_heads,
    rotary,
)

#: The grid is packed when that leaves at most this share of it.
_WORTH_PACKING = 0.8
#: Slots leave their group's grid when the grid has this many times as many slots as are alive.
_WORTH_SPLITTING = 2.0
_FIRST_CAPACITY = 64


class LlamaDecoding:
    """Completions in the making. Slot `p * G + g` is completion g of prompt p."""

    def __init__(self, w: LlamaWeights, prompts: Tensor, lengths: Tensor, group: int, limit: int) -> None:
        """Prefill prompts (P, longest), padded on the right, for `group` completions each, of at most
        `limit` tokens."""
        self.weights = w
        prefix = prefill(w, prompts, lengths)
        #: The prompts' keys and values, one a layer: (P, K, longest, D).
        self.prompt_keys = [prefix.packing.padded(k).transpose(1, 2).contiguous() for k in prefix.keys]
        self.prompt_values = [prefix.packing.padded(v).transpose(1, 2).contiguous() for v in prefix.values]
        self.padding = prefix.packing.bias[:, None, None, None]
        self.lengths = lengths
        self.prompts, self.group, self.limit, self.length = len(prompts), group, limit, 0
        self.logits = logits_of(w, prefix.last).repeat_interleave(group, 0)
        #: Completions' own keys and values, one a layer: (P * G, K, capacity, D).
        self.keys = [self._room(k) for k in self.prompt_keys]
        self.values = [self._room(v) for v in self.prompt_values]

    def _room(self, like: Tensor) -> Tensor:
        prompts, heads, _, width = like.shape
        return like.new_empty(prompts * self.group, heads, min(self.limit, _FIRST_CAPACITY), width)

    def step(self, tokens: Tensor) -> Tensor:
        """Append one token a slot, (P * G,); return the logits of the next, (P * G, vocabulary)."""
        w, t = self.weights, self.length
        if t == self.keys[0].shape[2]:
            self._grow()
        turn = rotary(w, (self.lengths + t)[:, None])
        x = F.embedding(tokens.view(self.prompts, self.group), w.embedding)
        for i, layer in enumerate(w.layers):
            q, k, v = qkv_heads(w, layer, x, turn)
            self.keys[i][:, :, t] = k.flatten(0, 1)
            self.values[i][:, :, t] = v.flatten(0, 1)
            x = after_attention(w, layer, x, self._attend(i, q, t + 1))
        self.length += 1
        self.logits = logits_of(w, x).flatten(0, 1)
        return self.logits

    def _attend(self, i: int, q: Tensor, length: int) -> Tensor:
        """Attention of queries (P, G, H, D) to prompts and own tokens: (P, G, H * D)."""
        prompts, group, heads, width = q.shape
        kv = self.weights.kv_heads
        per_kv = heads // kv
        # Query heads of one key-value head stand side by side. To the prompt, all completions of a
        # prompt at once: (P, K, G * H / K, D); to its own tokens, each alone: (P * G, K, H / K, D).
        q = q.view(prompts, group, kv, per_kv, width) * width**-0.5
        shared = q.transpose(1, 2).flatten(2, 3) @ self.prompt_keys[i].transpose(-1, -2)
        shared = shared.view(prompts, kv, group, per_kv, -1).transpose(1, 2) + self.padding
        own = q.flatten(0, 1) @ self.keys[i][:, :, :length].transpose(-1, -2)
        scores = torch.cat((shared, own.view(prompts, group, kv, per_kv, length)), -1)
        shares = scores.softmax(-1, dtype=torch.float32).to(q.dtype)
        of_shared, of_own = shares[..., :-length], shares[..., -length:]
        attended = of_own.flatten(0, 1) @ self.values[i][:, :, :length]
        of_prompt = of_shared.transpose(1, 2).flatten(2, 3) @ self.prompt_values[i]
        of_prompt = of_prompt.view(prompts, kv, group, per_kv, width).transpose(1, 2)
        return (attended.view_as(of_prompt) + of_prompt).flatten(2)

    def _grow(self) -> None:
        capacity = min(self.limit, 2 * self.length)
        for cache in (self.keys, self.values):
            for i, old in enumerate(cache):
                cache[i] = old.new_empty(*old.shape[:2], capacity, old.shape[3])
                cache[i][:, :, : self.length] = old

    def keep(self, alive: Tensor) -> Tensor | None:
        """Pack the grid to the slots that are alive, (P * G,) booleans, if that is worth it.

        Returns the old slot of each new one (a finished one may stay to fill the grid), None when
        nothing moved.
        """
        grid = alive.view(self.prompts, self.group)
        count = int(alive.sum())
        group = int(grid.sum(1).max())
        groups = grid.any(1).nonzero().squeeze(1)
        split = len(groups) * group >= _WORTH_SPLITTING * count and group > 1
        slots = count if split else len(groups) * group
        if not count or slots > _WORTH_PACKING * grid.numel():
            return None
        if split:
            old = alive.nonzero().squeeze(1)
            groups, group = old // self.group, 1
        else:
            # Alive slots of each group first, in their order.
            order = grid[groups].int().argsort(dim=1, descending=True, stable=True)[:, :group]
            old = (groups[:, None] * self.group + order).flatten()
        for cache in (self.keys, self.values):
            for i, tensor in enumerate(cache):
                cache[i] = tensor.new_empty(len(old), *tensor.shape[1:])
                cache[i][:, :, : self.length] = tensor[:, :, : self.length].index_select(0, old)
        self.prompt_keys = [k[groups] for k in self.prompt_keys]
        self.prompt_values = [v[groups] for v in self.prompt_values]
        self.lengths = self.lengths[groups]
        self.padding = self.padding[groups]
        self.prompts, self.group = len(groups), group
        self.logits = self.logits[old]
        return old
