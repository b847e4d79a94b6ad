"""Token by token generation with a Llama on the CPU, in fp32: matrix products and compiled loops.

Rows are the slots of a decoding and nothing else: a completion that ends leaves at once, since the loops
find a row's cache by its number (`_Cache`) and no cache is moved. The numbers are those of `decoder.py` to
rounding. A prompt's tokens are rows, too: each is stored in its prompt's entry and sees those before it.
"""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from harness_transformers.device import compiles
from harness_transformers.llama import LlamaWeights, rotary

Array = npt.NDArray[Any]

#: Tokens in a block of keys (`kernels.LANES`, which only numba can import).
_BLOCK = 16
_FIRST_CAPACITY = 64
#: Numbers in a buffer that is kept for the next decoding, at most.
_SMALL = 2**24
#: The loops run on one thread; with more threads than this, torch's own operations are given preference.
_MOST_THREADS = 2


def fuses(w: LlamaWeights) -> bool:
    """Whether `FusedDecoding` can decode with these weights here: fp32 on the CPU, and numba is installed."""
    return (
        w.head.dtype == torch.float32
        and w.head.device.type == "cpu"
        and w.head_width % _BLOCK == 0
        and torch.get_num_threads() <= _MOST_THREADS
        and compiles()
    )


class FusedDecoding:
    """Completions in the making, a row for each slot."""

    def __init__(
        self,
        w: LlamaWeights,
        prompts: Tensor,
        lengths: Tensor,
        rows: int,
        limit: int,
        spare: list[Memory] | None = None,
    ) -> None:
        """Prefill prompts (P, longest), padded on the right, for completions of at most `limit` tokens in at
        most `rows` slots. Memory is taken from `spare`, and given back to it at the end."""
        self.weights, self.limit, self.length = w, limit, 0
        spare = [] if spare is None else spare
        memory = spare.pop() if spare else Memory()
        weakref.finalize(self, spare.append, memory)
        longest = prompts.shape[1]
        cos, sin = rotary(w, torch.arange(longest + limit))
        half = w.head_width // 2
        self._cos = cos[:, 0, :half].contiguous().numpy()
        self._sin = sin[:, 0, half:].contiguous().numpy()
        self._norms = [(_vector(layer.attention_norm), _vector(layer.mlp_norm)) for layer in w.layers]
        self._norm = _vector(w.norm)
        self._lengths = lengths.numpy()
        self._prompts = np.arange(len(prompts))
        self._room = _Room(w, memory, max(rows, int(lengths.sum())))
        self._of_prompts = _Cache(w, memory, "prompts", len(prompts), len(prompts), longest)
        self.logits = self._prefill(prompts)
        self._cache = _Cache(w, memory, "completions", len(prompts), rows, min(limit, _FIRST_CAPACITY))

    def _prefill(self, prompts: Tensor) -> Tensor:
        # Prompts are slots without a prompt, whose tokens are rows.
        mask = torch.arange(prompts.shape[1]) < torch.from_numpy(self._lengths)[:, None]
        slots, times = (numbers.numpy() for numbers in mask.nonzero().unbind(1))
        ends = torch.from_numpy(self._lengths).cumsum(0) - 1
        x = F.embedding(prompts[mask], self.weights.embedding)
        alone = np.zeros(len(self._lengths), dtype=np.int64)
        return self._logits(self._layers(x, self._of_prompts, slots, slots, alone, times, ends))

    def step(self, tokens: Array, parents: Array) -> Tensor:
        """Go on with new slots, (new slots,) both; return the next token's logits, (slots, vocabulary)."""
        cache = self._cache
        if self.length == cache.capacity:
            cache.grow(min(self.limit, 2 * self.length))
        cache.continue_from(parents, self.length)
        self._prompts = self._prompts[parents]
        x = F.embedding(torch.from_numpy(tokens), self.weights.embedding)
        times = np.full(len(tokens), self.length)
        x = self._layers(x, cache, cache.slots, self._prompts, self._lengths, times, None)
        self.length += 1
        self.logits = self._logits(x)
        return self.logits

    def _layers(
        self,
        x: Tensor,
        cache: _Cache,
        slots: Array,
        prompts: Array,
        lengths: Array,
        times: Array,
        wanted: Tensor | None,
    ) -> Tensor:
        """Hidden states (rows, d) after all layers; of the rows `wanted` alone, if given. Works in place."""
        from harness_transformers.kernels import attend, gate, norm

        w, room, count = self.weights, self._room, len(x)
        normed, qkv, attended = room.normed[:count], room.qkv[:count], room.attended[:count]
        for i, layer in enumerate(w.layers):
            norm(x.numpy(), count, self._norms[i][0], w.epsilon, room.normed_)
            _product(normed, layer.qkv, layer.qkv_bias, qkv)
            attend(
                room.qkv_,
                count,
                w.heads,
                self._cos,
                self._sin,
                slots,
                prompts,
                lengths,
                self._of_prompts.keys[i],
                self._of_prompts.values[i],
                cache.keys[i],
                cache.values[i],
                times,
                room.attended_,
            )
            if wanted is not None and i + 1 == len(w.layers):
                x, attended, count = x[wanted], attended[wanted], len(wanted)
                normed = room.normed[:count]
            _add_product(x, attended, layer.output, layer.output_bias)
            norm(x.numpy(), count, self._norms[i][1], w.epsilon, room.normed_)
            _product(normed, layer.gate_up, layer.gate_up_bias, room.gate_up[:count])
            gate(room.gate_up_, count, room.gated_)
            _add_product(x, room.gated[:count], layer.down, layer.down_bias)
        return x

    def _logits(self, x: Tensor) -> Tensor:
        from harness_transformers.kernels import norm

        norm(x.numpy(), len(x), self._norm, self.weights.epsilon, self._room.normed_)
        return F.linear(self._room.normed[: len(x)], self.weights.head)


def _vector(weight: Tensor) -> Array:
    array: Array = weight.detach().numpy()
    return array


def _product(x: Tensor, weight: Tensor, bias: Tensor | None, out: Tensor) -> None:
    if bias is None:
        torch.mm(x, weight.t(), out=out)
    else:
        torch.addmm(bias, x, weight.t(), out=out)


def _add_product(x: Tensor, added: Tensor, weight: Tensor, bias: Tensor | None) -> None:
    x.addmm_(added, weight.t())
    if bias is not None:
        x.add_(bias)


class Memory:
    """Buffers that are used again by the next decoding, by name; a first use of memory costs page faults."""

    def __init__(self) -> None:
        self._kept: dict[str, Array] = {}

    def array(self, name: str, shape: tuple[int, ...]) -> Array:
        """An array (shape), fp32, with anything in it."""
        size = int(np.prod(shape))
        kept = self._kept.get(name)
        if kept is None or len(kept) < size:
            # Room for a somewhat larger one, too, if it is small.
            kept = np.zeros(size + (size // 4 if size < _SMALL else 0), np.float32)
            if size < _SMALL:
                self._kept[name] = kept
        return kept[:size].reshape(shape)


class _Room:
    """Buffers of a step, each as a tensor and, with an underscore, as an array of the same memory."""

    def __init__(self, w: LlamaWeights, memory: Memory, rows: int) -> None:
        layer = w.layers[0]

        def both(name: str, width: int) -> tuple[Tensor, Array]:
            array = memory.array(name, (rows, width))
            return torch.from_numpy(array), array

        self.normed, self.normed_ = both("normed", layer.qkv.shape[1])
        self.qkv, self.qkv_ = both("qkv", layer.qkv.shape[0])
        self.attended, self.attended_ = both("attended", layer.output.shape[1])
        self.gate_up, self.gate_up_ = both("gate_up", layer.gate_up.shape[0])
        self.gated, self.gated_ = both("gated", layer.down.shape[1])


class _Cache:
    """Keys and values of tokens, one a layer, and which entry belongs to which row.

    Keys are (entries, blocks, K, D, 16), values (entries, blocks * 16, K, D).
    """

    def __init__(
        self, w: LlamaWeights, memory: Memory, name: str, used: int, entries: int, capacity: int
    ) -> None:
        blocks = -(-capacity // _BLOCK)
        self.capacity = blocks * _BLOCK
        keys = (entries, blocks, w.kv_heads, w.head_width, _BLOCK)
        values = (entries, self.capacity, w.kv_heads, w.head_width)
        self.keys = [memory.array(f"{name} keys {i}", keys) for i in range(len(w.layers))]
        self.values = [memory.array(f"{name} values {i}", values) for i in range(len(w.layers))]
        #: Entry of each row, and entries of none.
        self.slots = np.arange(used)
        self._free = np.arange(used, entries)

    def continue_from(self, parents: Array, length: int) -> None:
        """New rows continue rows `parents`, which ascend: the first of a row takes over its entry, further
        ones get a copy of its first `length` tokens."""
        from harness_transformers.kernels import copy_slots

        first = np.ones(len(parents), dtype=bool)
        first[1:] = parents[1:] != parents[:-1]
        ended = np.ones(len(self.slots), dtype=bool)
        ended[parents] = False
        slots, origins = self.slots[parents], self.slots[parents[~first]]
        free = np.concatenate((self.slots[ended], self._free))
        targets, self._free = free[: len(origins)], free[len(origins) :]
        if length:
            for keys, values in zip(self.keys, self.values, strict=True):
                copy_slots(keys, values, origins, targets, length)
        slots[~first] = targets
        self.slots = slots

    def grow(self, capacity: int) -> None:
        blocks = -(-capacity // _BLOCK) - self.capacity // _BLOCK
        for i, (keys, values) in enumerate(zip(self.keys, self.values, strict=True)):
            self.keys[i] = np.pad(keys, ((0, 0), (0, blocks), (0, 0), (0, 0), (0, 0)))
            self.values[i] = np.pad(values, ((0, 0), (0, blocks * _BLOCK), (0, 0), (0, 0)))
        self.capacity += blocks * _BLOCK
