"""The loss, token by token: every function takes and gives matrices (rows, tokens).

How a matrix becomes one number (all tokens alike, each sequence alike) is in the rows' weights, so that
terms of other plugins are summed in the same way as the built-in ones.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

KlEstimator = Literal["k1", "k2", "k3"]


def policy_gradient(
    logprobs: Tensor, old_logprobs: Tensor, advantages: Tensor, clip_low: float, clip_high: float
) -> Tensor:
    """PPO's clipped surrogate (arXiv 1707.06347, eq. 7), negated, with clip ranges of its own for each
    side (arXiv 2503.14476). On-policy the ratio is exactly 1 and its gradient that of `logprobs`.
    `advantages` is (rows, 1), or (rows, tokens) with credit per token."""
    ratio = (logprobs - old_logprobs).exp()
    clipped = ratio.clamp(1 - clip_low, 1 + clip_high)
    return -torch.minimum(ratio * advantages, clipped * advantages)


def kl_divergence(logprobs: Tensor, ref_logprobs: Tensor, estimator: KlEstimator) -> Tensor:
    """KL(policy || reference) in nats from the sampled tokens alone (Schulman 2020, "Approximating KL
    divergence"): k1 unbiased, k2 low variance, k3 both and never negative."""
    log_ratio = ref_logprobs - logprobs
    if estimator == "k1":
        return -log_ratio
    if estimator == "k2":
        return log_ratio.square() / 2
    return log_ratio.exp() - log_ratio - 1


def token_statistics(logits: Tensor, targets: Tensor, *, entropy: bool) -> tuple[Tensor, Tensor | None]:
    """Log-probabilities (tokens,) of the targets under logits (tokens, vocabulary), and, if asked for,
    the distributions' entropies in nats (tokens,)."""
    if not entropy:
        return -torch.nn.functional.cross_entropy(logits, targets, reduction="none"), None
    shares = logits.log_softmax(-1)
    chosen = shares.gather(-1, targets[:, None]).squeeze(1)
    return chosen, -(shares.exp() * shares).sum(-1)


def as_matrix(flat: Tensor, mask: Tensor) -> Tensor:
    """Values of a mask's tokens as a matrix of its shape, 0 elsewhere; differentiable."""
    return torch.zeros(mask.shape, dtype=flat.dtype, device=flat.device).masked_scatter(mask, flat)
