"""One token per row from logits, by inverting the cumulative distribution.

A row's uniform number comes from its own seed and its position alone (`harness.contract.seeds.uniforms`), so
that what it draws does not depend on which rows share its batch.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from harness.contract import Sampling
from harness_transformers.device import compiles

Array = npt.NDArray[Any]


def draw_rows(
    logits: Tensor, slots: Array, uniforms: Array, sampling: Sampling, given: Array | None = None
) -> tuple[Array, Array]:
    """Tokens (rows,) and their natural-log probabilities (rows,) at temperature 1, for rows that share slots.

    Args:
        logits: (slots, vocabulary), fp32, on any device.
        slots: (rows,), the slot that each row draws from.
        uniforms: (rows,), fp64 in [0, 1); not looked at when greedy.
        given: (rows,), tokens that are not drawn, -1 for a row that draws one; None draws all.
    """
    device = logits.device
    plain = sampling.temperature > 0 and not sampling.top_k and sampling.top_p == 1 and given is None
    if plain and device.type == "cpu" and compiles():
        from harness_transformers.kernels import draw_rows as compiled

        drawn, chances = np.empty(len(slots), np.int64), np.empty(len(slots), np.float32)
        compiled(logits.numpy(), slots, uniforms, sampling.temperature, drawn, chances)
        return drawn, chances
    given_there = None if given is None else torch.from_numpy(given).to(device)
    alone = len(slots) == len(logits) and bool((slots == np.arange(len(slots))).all())
    tokens, logprobs = draw(
        logits,
        torch.from_numpy(uniforms).to(device),
        sampling,
        given_there,
        None if alone else torch.from_numpy(slots).to(device),
    )
    return tokens.cpu().numpy(), logprobs.cpu().numpy()


def draw(
    logits: Tensor,
    uniforms: Tensor,
    sampling: Sampling,
    given: Tensor | None = None,
    slots: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Tokens (rows,) and their natural-log probabilities (rows,) at temperature 1.

    Args:
        logits: (slots, vocabulary), fp32.
        uniforms: (rows,), fp64 in [0, 1); not looked at when greedy.
        given: (rows,), tokens that are not drawn, -1 for a row that draws one; None draws all.
        slots: (rows,), the slot that each row draws from; None gives each row the slot of its number.
    """
    of = slice(None) if slots is None else slots
    if sampling.temperature == 0:
        tokens = logits.argmax(-1)[of]
    else:
        shares = filtered(logits / sampling.temperature, sampling).softmax(-1)
        cumulative = shares.cumsum(-1, dtype=torch.float64)[of]
        # Right of equal values, so that a token of probability 0 is never drawn.
        points = uniforms[:, None] * cumulative[:, -1:]
        tokens = torch.searchsorted(cumulative, points, right=True).squeeze(1)
        tokens = tokens.clamp(max=logits.shape[-1] - 1)
    if given is not None:
        tokens = torch.where(given >= 0, given, tokens)
    rows = torch.arange(len(logits), device=logits.device) if slots is None else slots
    return tokens, logits[rows, tokens] - logits.logsumexp(-1)[of]


def filtered(logits: Tensor, sampling: Sampling) -> Tensor:
    """Logits with what top-k and top-p (arXiv 1904.09751) leave out at -inf.

    Top-p keeps the fewest tokens whose probabilities reach p, the most probable one always.
    """
    if 0 < sampling.top_k < logits.shape[-1]:
        least = logits.topk(sampling.top_k, -1).values[:, -1:]
        logits = logits.masked_fill(logits < least, float("-inf"))
    if sampling.top_p < 1:
        ordered, order = logits.sort(-1, descending=True)
        shares = ordered.softmax(-1)
        outside = shares.cumsum(-1) - shares >= sampling.top_p
        outside[:, 0] = False
        logits = logits.masked_fill(outside.gather(1, order.argsort(-1)), float("-inf"))
    return logits
