"""A policy that learns: weights, optimizer and tokenizer, and their form on disk."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import torch
from harness_transformers.network import MODEL, Network
from harness_transformers.prompts import Renderer
from harness_transformers.weights import weights_sha
from torch import Tensor

from harness.contract import TrainingError
from harness.recipe import OptimizerOptions
from harness_torch.live import STATE, Opened


@dataclass(slots=True)
class Learner:
    """The live weights."""

    network: Network
    renderer: Renderer
    #: Folder of the policy that the run started from.
    origin: Path
    optimizer: torch.optim.AdamW = field(init=False)

    def __post_init__(self) -> None:
        for parameter in self.network.parameters():
            parameter.requires_grad_(True)
        self.reset_optimizer()

    @classmethod
    def of(cls, opened: Opened, before: Learner | None = None) -> Learner:
        """Opened weights, with their optimizer moments if they have any."""
        learner = cls(opened.network, opened.renderer, opened.origin)
        if opened.moments is not None:
            learner.optimizer.load_state_dict(opened.moments)
        return learner

    def reset_optimizer(self) -> None:
        """Forget the moments. Weight decay acts on matrices, not on norms and biases."""
        parameters = self.network.parameters()
        groups = [
            {"params": [p for p in parameters if p.dim() > 1], "decays": True},
            {"params": [p for p in parameters if p.dim() <= 1], "decays": False},
        ]
        self.optimizer = torch.optim.AdamW(cast(Any, groups), lr=0.0, weight_decay=0.0, fused=True)

    def update(self, options: OptimizerOptions, rate: float, where: str) -> float:
        """One AdamW step from the gradients in place, at a learning rate.

        Returns the gradient's norm before clipping.

        Raises:
            TrainingError: the gradient is not finite; the weights are left as they were.
        """
        parameters = self.network.parameters()
        for parameter in parameters:
            if parameter.grad is None:
                # Nothing reached the loss: a gradient of 0, under which moments still decay.
                parameter.grad = torch.zeros_like(parameter)
        norm = torch.nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])
        if not torch.isfinite(norm):
            raise TrainingError(
                f"the gradient's norm is {norm.item()}",
                where=where,
                hint="lower optimizer.lr, or resume from the last checkpoint with other settings",
            )
        if options.max_grad_norm:
            torch.nn.utils.clip_grads_with_norm_(parameters, options.max_grad_norm, norm)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
            group["betas"] = options.betas
            group["weight_decay"] = options.weight_decay if group["decays"] else 0.0
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.network.changed()
        return float(norm)

    def save(self, folder: Path) -> str:
        """Write `model/`, `adapter/` under LoRA, and `trainer.pt`; returns the hash of the weights."""
        model = folder / MODEL
        self.network.save(folder)
        self.renderer.tokenizer.save_pretrained(model)
        torch.save({"optimizer": self.optimizer.state_dict(), "origin": str(self.origin)}, folder / STATE)
        return weights_sha(model)


def finite(loss: Tensor, where: str) -> float:
    """The loss as a number; raises TrainingError if it is not finite."""
    value = float(loss.detach())
    if not torch.isfinite(loss.detach()):
        raise TrainingError(
            f"the loss is {value}",
            where=where,
            hint="lower optimizer.lr, or resume from the last checkpoint with other settings",
        )
    return value
