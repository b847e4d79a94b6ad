"""What of a decoding step is no matrix product, one compiled loop each instead of many small operations.

Compiled by numba when first called and kept beside this file (or where NUMBA_CACHE_DIR says). Arrays are
C-contiguous fp32 unless said otherwise. Only the first `rows` rows of an array are computed.

Keys are stored (..., blocks, K, D, 16), so that the scores of a block's 16 tokens are computed side by side;
values are stored (..., tokens, K, D). All that a row reads of a slot is contiguous. D is a multiple of 16.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final, TypeVar, cast

import numba
import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

Array = npt.NDArray[Any]
_Function = TypeVar("_Function", bound=Callable[..., Any])
_Number = float | np.float32

#: Numbers that are computed side by side, and tokens in a block of keys.
LANES: Final = 16
#: Sums may be taken in any order, and a product and a sum be one operation; infinities keep their meaning.
_SUMS = {"reassoc", "contract", "nsz"}

_LOG2_E = np.float32(1.44269504088896341)
_LN2_HIGH, _LN2_LOW = np.float32(0.693359375), np.float32(-2.12194440e-4)
_HALF, _ONE = np.float32(0.5), np.float32(1)
_LEAST = np.float32(-87.0)
_NONE, _NEVER = np.float32(-1e30), np.float32(1.7e-38)
# Of exp on [-ln 2 / 2, ln 2 / 2], from Cephes' expf (S. Moshier): 1 unit in the last place or less.
_C0, _C1, _C2 = np.float32(1.9875691500e-4), np.float32(1.3981999507e-3), np.float32(8.3334519073e-3)
_C3, _C4, _C5 = np.float32(4.1665795894e-2), np.float32(1.6666665459e-1), np.float32(5.0000001201e-1)


def _compiled(*flags: str) -> Callable[[_Function], _Function]:
    compiled = numba.njit(cache=True, nogil=True, error_model="numpy", fastmath=set(flags))
    return cast(Callable[[_Function], _Function], compiled)


@_compiled("contract")
def _near_zero(x: _Number, n: _Number) -> Any:
    """exp(x - n ln 2), where that is at most ln 2 / 2 from 0. Its terms are added in this order."""
    x = (x - n * _LN2_HIGH) - n * _LN2_LOW
    p = ((((_C0 * x + _C1) * x + _C2) * x + _C3) * x + _C4) * x + _C5
    return p * x * x + x + _ONE


@_compiled(*_SUMS)
def exponentials(values: Array, length: int, most: _Number, powers: Array, scales: Array) -> Any:
    """Put exp(value - most) in the place of the first values, none above `most`; return their sum.

    `powers` (int32) and `scales` are one buffer seen as both. Below exp(-87) all is exp(-87).
    """
    for i in range(length):
        x = max(values[i] - most, _LEAST)
        n = np.int32(x * _LOG2_E - _HALF)
        values[i] = _near_zero(x, np.float32(n))
        powers[i] = (n + np.int32(127)) << np.int32(23)
    total = np.float32(0)
    for i in range(length):
        values[i] *= scales[i]
        total += values[i]
    return total


@_compiled(*_SUMS)
def norm(x: Array, rows: int, weight: Array, epsilon: float, out: Array) -> None:
    """RMS norm (arXiv 1910.07467) of x (rows, d)."""
    width = x.shape[1]
    for r in range(rows):
        total = np.float32(0)
        for i in range(width):
            total += x[r, i] * x[r, i]
        scale = np.float32(1 / math.sqrt(total / width + epsilon))
        for i in range(width):
            out[r, i] = x[r, i] * scale * weight[i]


@_compiled("contract")
def gate(gate_up: Array, rows: int, out: Array) -> None:
    """silu(gate) * up of gate_up (rows, 2 m): out (rows, m)."""
    width = out.shape[1]
    shares, powers = np.empty(width, np.float32), np.empty(width, np.int32)
    scales = powers.view(np.float32)
    for r in range(rows):
        for i in range(width):
            shares[i] = -abs(gate_up[r, i])
        exponentials(shares, width, np.float32(0), powers, scales)
        for i in range(width):
            g = gate_up[r, i]
            above = _ONE if g >= 0 else shares[i]
            out[r, i] = g * (above / (_ONE + shares[i])) * gate_up[r, width + i]


def _weighted_sums(
    context: Any, weights: Any, first: Any, count: Any, matrix: Any, at: Any, stride: Any, out: Any, to: Any
) -> Any:
    """`out[to : to + 16] = sum(weights[first + i] * matrix[at + i * stride : ... + 16] for i < count)`.

    All arrays are flat, `count` is a multiple of 4. Written in LLVM's vectors, since its own vectorizer keeps
    such sums in memory if it cannot prove that `out` is none of the inputs.
    """
    number = types.intp
    signature = types.void(weights, number, number, matrix, number, number, out, number)

    def build(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        def data(i: int) -> Any:
            proxy = cast(Any, cgutils).create_struct_proxy(signature.args[i])
            return proxy(target, builder, arguments[i]).data

        lanes = ir.VectorType(ir.FloatType(), LANES)
        zero, undefined = ir.Constant(lanes, [0.0] * LANES), ir.Constant(lanes, ir.Undefined)
        same = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
        _, first, count, _, at, stride, _, to = arguments
        weight, row = builder.gep(data(0), [first]), builder.gep(data(3), [at])
        sums = [cast(Any, cgutils).alloca_once_value(builder, zero) for _ in range(4)]
        with cgutils.for_range_slice(builder, count.type(0), count, count.type(4)) as (i, _):
            for k, total in enumerate(sums):
                index = builder.add(i, count.type(k))
                one = builder.load(builder.gep(weight, [index]))
                place = builder.gep(row, [builder.mul(index, stride)])
                values = builder.load(builder.bitcast(place, lanes.as_pointer()), align=4)
                repeated = builder.shuffle_vector(
                    builder.insert_element(undefined, one, ir.IntType(32)(0)), undefined, same
                )
                product = builder.fmul(repeated, values, flags=("contract",))
                builder.store(builder.fadd(product, builder.load(total), flags=("contract",)), total)
        a, b, c, d = (builder.load(total) for total in sums)
        whole = builder.fadd(builder.fadd(a, b), builder.fadd(c, d))
        target_place = builder.bitcast(builder.gep(data(6), [to]), lanes.as_pointer())
        builder.store(whole, target_place, align=4)
        return target.get_dummy_value()

    return signature, build


#: The same for compiled functions; numba passes the context itself.
weighted_sums: Any = intrinsic(_weighted_sums)


@_compiled("nnan", "nsz")
def _most(values: Array, length: int) -> Any:
    most = values[0]
    for i in range(length):
        most = max(most, values[i])
    return most


@_compiled("contract")
def _turned(x: Array, cos: Array, sin: Array, scale: _Number, out: Array) -> None:
    """Positions applied (RoPE, arXiv 2104.09864) to a head (D,), scaled."""
    half = len(cos)
    for d in range(half):
        a, b = x[d] * scale, x[half + d] * scale
        out[d] = a * cos[d] - b * sin[d]
        out[half + d] = b * cos[d] + a * sin[d]


@_compiled(*_SUMS)
def attend(
    qkv: Array,
    rows: int,
    heads: int,
    cos: Array,
    sin: Array,
    slots: Array,
    prompts: Array,
    lengths: Array,
    prompt_keys: Array,
    prompt_values: Array,
    keys: Array,
    values: Array,
    times: Array,
    out: Array,
) -> None:
    """Store the token of each row, and attend from it to the prompt and to the tokens stored in its slot.

    Args:
        qkv: (rows, (H + 2 K) * D), positions not applied.
        heads: query heads, H.
        cos, sin: of each position, (positions, D / 2).
        slots, prompts, times: of each row, int64: token `times` of the slot is stored. Rows of one slot are
            computed in their order, so that a row sees those before it.
        lengths: of prompts, int64; 0 if a row sees its slot alone.
        prompt_keys, prompt_values: (P, blocks, K, D, 16) and (P, blocks * 16, K, D).
        keys, values: (slots, blocks, K, D, 16) and (slots, blocks * 16, K, D); written.
        out: (rows, H * D).
    """
    kv_heads, width = keys.shape[2], keys.shape[3]
    columns, per_kv, token = qkv.shape[1], heads // kv_heads, kv_heads * width
    scale = np.float32(1 / math.sqrt(width))
    prompt_room, own_room = prompt_values.shape[1], values.shape[1]
    flat_prompt_keys, flat_prompt_values = prompt_keys.reshape(-1), prompt_values.reshape(-1)
    flat_keys, flat_values = keys.reshape(-1), values.reshape(-1)
    scores, powers = np.empty(prompt_room + own_room, np.float32), np.empty(prompt_room + own_room, np.int32)
    scales = powers.view(np.float32)
    q, of_prompt, of_own = (
        np.empty(width, np.float32),
        np.empty(width, np.float32),
        np.empty(width, np.float32),
    )
    for r in range(rows):
        slot, prompt, t = slots[r], prompts[r], times[r]
        length = lengths[prompt]
        row, stored, made = qkv[r], values[slot, t], out[r]
        cosines, sines = cos[length + t], sin[length + t]
        block, lane = t // LANES, t % LANES
        # Places in `scores`: whole blocks of the prompt, then whole blocks of the slot.
        shared, own = (length + LANES - 1) // LANES, block + 1
        split = shared * LANES
        seen = split + own * LANES
        for kv in range(kv_heads):
            head = kv * width
            _turned(row[(heads + kv) * width : (heads + kv + 1) * width], cosines, sines, _ONE, q)
            entry = keys[slot, block, kv]
            for d in range(width):
                entry[d, lane] = q[d]
            value = row[columns - token + head : columns - token + head + width]
            stored_head = stored[kv]
            for d in range(width):
                stored_head[d] = value[d]
            if t % 4 == 0:
                # Four tokens are summed at once; those that are none have share 0, and must be numbers.
                for later in range(t + 1, t + 4):
                    after_head = values[slot, later, kv]
                    for d in range(width):
                        after_head[d] = np.float32(0)
            own_at, prompt_at = slot * own_room * token + head, prompt * prompt_room * token + head
            for h in range(kv * per_kv, (kv + 1) * per_kv):
                _turned(row[h * width : (h + 1) * width], cosines, sines, scale, q)
                for i in range(shared):
                    at = (prompt * prompt_room * token) + (i * token + head) * LANES
                    weighted_sums(q, 0, width, flat_prompt_keys, at, LANES, scores, i * LANES)
                for i in range(own):
                    at = (slot * own_room * token) + (i * token + head) * LANES
                    weighted_sums(q, 0, width, flat_keys, at, LANES, scores, split + i * LANES)
                # Places without a token get no share.
                empty = scores[length:split]
                for j in range(len(empty)):
                    empty[j] = _NONE
                empty = scores[split + t + 1 : seen]
                for j in range(len(empty)):
                    empty[j] = _NONE
                total = exponentials(scores, seen, _most(scores, seen), powers, scales)
                before, after = (length + 3) // 4 * 4, (t + 4) // 4 * 4
                for d in range(0, width, LANES):
                    weighted_sums(scores, 0, before, flat_prompt_values, prompt_at + d, token, of_prompt, d)
                    weighted_sums(scores, split, after, flat_values, own_at + d, token, of_own, d)
                share, whole = _ONE / total, made[h * width : (h + 1) * width]
                for d in range(width):
                    whole[d] = (of_prompt[d] + of_own[d]) * share


@_compiled()
def copy_slots(keys: Array, values: Array, origins: Array, targets: Array, length: int) -> None:
    """Copy the first tokens of slots of keys and values, as `attend` has them, to other slots."""
    blocks, fours = (length + LANES - 1) // LANES, (length + 3) // 4 * 4
    for i in range(len(origins)):
        keys[targets[i], :blocks] = keys[origins[i], :blocks]
        values[targets[i], :fours] = values[origins[i], :fours]


@_compiled()
def draw_rows(
    logits: Array, slots: Array, uniforms: Array, temperature: float, tokens: Array, logprobs: Array
) -> None:
    """Draw a token per row from the logits (slots, vocabulary) of its slot, by inverting the cumulative
    distribution at `uniforms` (rows,), fp64; and its natural-log probability at temperature 1."""
    count, vocabulary = logits.shape
    shares, powers = np.empty(vocabulary, np.float32), np.empty(vocabulary, np.int32)
    scales = powers.view(np.float32)
    cumulative = np.empty((count, vocabulary))
    normalizers = np.empty(count, np.float32)
    for slot in range(count):
        most = _most(logits[slot], vocabulary)
        for i in range(vocabulary):
            shares[i] = logits[slot, i]
        total = exponentials(shares, vocabulary, most, powers, scales)
        normalizers[slot] = most + np.float32(math.log(total))
        if temperature != 1:
            for i in range(vocabulary):
                shares[i] = np.float32((logits[slot, i] - most) / temperature)
            exponentials(shares, vocabulary, np.float32(0), powers, scales)
        below = 0.0
        for i in range(vocabulary):
            # What is further below than exp(-87) is never drawn.
            below += shares[i] if shares[i] > _NEVER else 0.0
            cumulative[slot, i] = below
    for row in range(len(slots)):
        slot = slots[row]
        # Right of equal values, so that a token of probability 0 is never drawn.
        token = np.searchsorted(cumulative[slot], uniforms[row] * cumulative[slot, -1], side="right")
        tokens[row] = min(token, vocabulary - 1)
        logprobs[row] = logits[slot, tokens[row]] - normalizers[slot]
