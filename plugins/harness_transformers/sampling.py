"""One token a row from logits, by inverting the cumulative distribution.

A row's uniform number comes from its own seed and its position alone (`harness.seeds.uniforms`), so
that what it draws does not depend on which rows share its batch.
"""

from __future__ import annotations

import torch
from torch import Tensor

from harness.records import Sampling


def draw(logits: Tensor, uniforms: Tensor, sampling: Sampling) -> tuple[Tensor, Tensor]:
    """Tokens (rows,) and their natural-log probabilities (rows,) at temperature 1.

    Args:
        logits: (rows, vocabulary), fp32.
        uniforms: (rows,), fp64 in [0, 1); not looked at when greedy.
    """
    if sampling.temperature == 0:
        tokens = logits.argmax(-1)
    else:
        shares = filtered(logits / sampling.temperature, sampling).softmax(-1)
        cumulative = shares.cumsum(-1, dtype=torch.float64)
        # Right of equal values, so that a token of probability 0 is never drawn.
        points = uniforms[:, None] * cumulative[:, -1:]
        tokens = torch.searchsorted(cumulative, points, right=True).squeeze(1)
        tokens = tokens.clamp(max=logits.shape[-1] - 1)
    chosen = logits.gather(1, tokens[:, None]).squeeze(1)
    return tokens, chosen - logits.logsumexp(-1)


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
