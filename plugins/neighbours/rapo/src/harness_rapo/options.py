"""What the loss term of RAPO can be told. Without torch, so that checking a recipe imports nothing heavy."""

from __future__ import annotations

from typing import Annotated, Literal

from harness.recipe import Model
from pydantic import Field, model_validator


class ForwardKlOptions(Model):
    """How strongly the policy is held to the reweighted reference, and how that is reweighted."""

    weight: Annotated[float, Field(ge=0)] = 0.01
    """Factor of the divergence (the paper's KL coefficient). 0 only measures it."""
    low: Annotated[float, Field(ge=0)] = 0.5
    """phi at reward 0: the power that the reference's probabilities are raised to before they are normalised.
    Below 1 the reference is flatter there, at 0 uniform."""
    high: Annotated[float, Field(ge=0)] = 1.0
    """phi at reward 1; at 1 the reference stays as it is. In between phi is linear in the reward, and rewards
    outside 0 to 1 count as the nearer end."""
    by: Literal["score", "reward"] = "score"
    """What reweights: the verdict's score, or the reward after shapers."""
    estimator: Literal["sampled", "exact"] = "sampled"
    """`sampled`: unbiased, from the sampled tokens and the reference's whole distribution. `exact`: over the
    whole vocabulary of the policy, too: no variance from sampling, more memory, and a trainer that has the
    policy's logits."""
    limit: Annotated[float, Field(gt=1)] | None = None
    """Largest ratio of reweighted reference to policy that a sampled token counts with. If not set, none:
    unbiased. With one, rare tokens are bounded, and the gradient is biased towards the policy as it is."""

    @model_validator(mode="after")
    def _rises(self) -> ForwardKlOptions:
        if self.low > self.high:
            raise ValueError(
                f"low must not be above high: phi rises with the reward, not from {self.low} to {self.high}"
            )
        if self.limit is not None and self.estimator == "exact":
            raise ValueError("limit bounds the ratios of sampled tokens: leave it out with estimator 'exact'")
        return self
