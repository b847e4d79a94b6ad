"""Options of the trainer `torch`."""

from __future__ import annotations

from harness.recipe.stage import Count
from harness_torch.live_options import LiveOptions


class TorchOptions(LiveOptions):
    """What is None is taken from the recipe's `[model]` and `[resources]`."""

    #: Most tokens, padding included, of a forward and backward pass.
    micro_batch_tokens: Count = 4_096
    #: Leave completions without advantage out of forward and backward where that cannot change the
    #: gradient (no KL, no entropy, no other terms); False is for measuring what that saves.
    skip_without_advantage: bool = True
