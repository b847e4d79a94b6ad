"""Loss term `forward-kl`: KL(pi_hat || pi) per token, pi_hat = pi_ref^phi / sum over the vocabulary of
pi_ref^phi.

phi rises with the sequence's reward: if the reward is low the reference is flattened, so that the policy
is pulled away from what did not work, and if it is high the reference holds the policy as it is (arXiv
2510.03865).

The states (prefixes) are those that the policy visits, and are taken as given, as every KL term of GRPO takes
them. Within a state, with w = pi_hat(v) / pi(v) of the sampled token v ~ pi,

    KL(pi_hat || pi)   =   E[w log w - w + 1]            (never negative, for any v)
    its gradient       = - E[(w - 1) grad log pi(v)]

since E[w] = 1 and E[grad log pi] = 0. Differentiating `w log w - w + 1` itself gives another gradient,
because v is drawn from pi; so the value carries the first line and a surrogate the second. Tokens that an
older policy drew are weighted by the ratio to it.
"""

from __future__ import annotations

from typing import Any, Final

import torch
from harness.contract import BuildContext
from torch import Tensor

from harness_rapo.options import ForwardKlOptions

#: Log-probabilities of the reference below this count as this: a vocabulary may hold tokens of probability 0.
FLOOR: Final = -1e4


def phi(reward: Tensor, low: float, high: float) -> Tensor:
    """The power of the reference at rewards of any shape, linear from `low` at 0 to `high` at 1."""
    return low + (high - low) * reward.clamp(0, 1)


def reweighted(ref_logits: Tensor, powers: Tensor) -> Tensor:
    """Log-probabilities (tokens, vocabulary) of pi_ref^phi, normalised; `powers` is (tokens,)."""
    plain: Tensor = ref_logits.log_softmax(-1).clamp(min=FLOOR)
    return (powers[:, None] * plain).log_softmax(-1)


def sampled(
    log_hat: Tensor, logprobs: Tensor, old_logprobs: Tensor, limit: float | None
) -> tuple[Tensor, Tensor]:
    """Values in nats, never negative, and surrogates that carry the gradient; all of one shape.

    Args:
        log_hat: log-probabilities of the sampled tokens under the reweighted reference.
        logprobs: under the policy, with gradient.
        old_logprobs: under the policy that drew them.
        limit: the largest ratio that counts, None for none.
    """
    now = logprobs.detach()
    ratio = (log_hat - now).exp()
    if limit is not None:
        ratio = ratio.clamp(max=limit)
    drift = (now - old_logprobs).exp()
    value = drift * (torch.xlogy(ratio, ratio) - ratio + 1)
    return value, -drift * (ratio - 1) * logprobs


def exact(log_hat: Tensor, logits: Tensor) -> Tensor:
    """KL(pi_hat || pi) in nats (tokens,), over the whole vocabulary; differentiable in `logits`."""
    return (log_hat.exp() * (log_hat - logits.log_softmax(-1))).sum(-1)


class ForwardKl:
    """`weight * KL(pi_hat || pi)` (protocol `LossTerm`); reports the divergence and phi as means per
    token."""

    def __init__(self, options: ForwardKlOptions | None, context: BuildContext) -> None:
        self.options = options or ForwardKlOptions()
        self.rewarded = "scores" if self.options.by == "score" else "rewards"
        own = ("logits",) if self.options.estimator == "exact" else ("logprobs", "old_logprobs", "targets")
        #: What the trainer is asked for.
        self.inputs = ("ref_logits", "mask", self.rewarded, *own)

    def __call__(self, **given: Any) -> tuple[Tensor, dict[str, Tensor]]:
        """A number per token, shape (rows, tokens), 0 if there is no token."""
        options, mask = self.options, given["mask"]
        powers = phi(given[self.rewarded][mask], options.low, options.high)
        log_hat = reweighted(given["ref_logits"], powers)
        if options.estimator == "exact":
            flat = exact(log_hat, given["logits"])
            value = flat.detach()
        else:
            chosen = log_hat.gather(-1, given["targets"][:, None]).squeeze(1)
            value, surrogate = sampled(
                chosen, given["logprobs"][mask], given["old_logprobs"][mask], options.limit
            )
            # The value of the first, the gradient of the second.
            flat = value + surrogate - surrogate.detach()
        matrix = torch.zeros(mask.shape, dtype=flat.dtype, device=flat.device)
        return options.weight * matrix.masked_scatter(mask, flat), {"kl": value.mean(), "phi": powers.mean()}
