"""The reference's logits, which TRL computes in chunks and hands to nobody: a pass of our own."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor

from harness_trl.imported import GRPOTrainer


def reference_logits(trainer: GRPOTrainer, inputs: Any, shown: Tensor) -> Tensor:
    """Logits of the reference at the sampling temperature, shape (tokens, vocabulary), in the mask's order.

    Args:
        trainer: one with a reference: its own model, or the base below the adapters in training.
        inputs: a micro-batch as TRL hands it to the loss.
        shown: which tokens of the completions count, shape (rows, tokens).
    """
    ids = torch.cat([inputs["prompt_ids"], inputs["completion_ids"]], dim=1)
    seen = torch.cat([inputs["prompt_mask"], inputs["completion_mask"]], dim=1)
    model, bare = trainer.ref_model, nullcontext()
    if model is None:
        model = trainer.accelerator.unwrap_model(trainer.model)
        bare = model.disable_adapter()
    with torch.no_grad(), bare, trainer.accelerator.autocast():
        # The token at i is predicted at i - 1.
        answer = model(input_ids=ids, attention_mask=seen, logits_to_keep=shown.shape[1] + 1)
    scaled: Tensor = answer.logits[:, :-1][shown].float() / trainer.temperature
    return scaled
