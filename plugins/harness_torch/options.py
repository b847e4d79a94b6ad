"""Options of the trainer `torch`."""

from __future__ import annotations

from harness.recipe import Count
from harness_torch.live_options import LiveOptions


class TorchOptions(LiveOptions):
    """Options of the trainer `torch`. Those that are not set are taken from the recipe's `[model]` and
    `[resources]`."""

    micro_batch_tokens: Count = 4_096
    """Most tokens, padding included, of one forward and backward pass. It bounds memory; the gradient does
    not depend on it."""
    skip_without_advantage: bool = True
    """Whether completions with advantage 0 skip the forward and backward pass, if that cannot change the
    gradient (no KL, no entropy, no further terms). Set it to false to measure what skipping saves."""
