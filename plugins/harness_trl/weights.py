"""The live weights between TRL's trainers: one model, one optimizer, and their form on disk.

TRL makes one trainer per stage. What outlives a stage is here: the transformers module that TRL trains
and the engine decodes from (for Llama models both are views of the same matrices), and AdamW's moments.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from harness_torch.live import STATE, Opened
from harness_transformers.lora import LoraNetwork
from harness_transformers.network import MODEL, Network
from harness_transformers.prompts import Renderer
from harness_transformers.weights import weights_sha


@dataclass(slots=True)
class TrlWeights:
    """The policy in training."""

    network: Network
    renderer: Renderer
    #: Folder of the policy that the run started from.
    origin: Path
    #: AdamW over the module's parameters, made by the first stage's trainer.
    optimizer: torch.optim.Optimizer | None = None
    #: Moments of a checkpoint that wait for an optimizer.
    waiting: dict[str, Any] | None = None
    #: TRL's vLLM, if a recipe asks for it, made by the first stage's trainer.
    vllm: Any = None

    @property
    def module(self) -> Any:
        """The transformers model."""
        return self.network.module

    @property
    def trained(self) -> Any:
        """What TRL is given: the model, or, under LoRA, PEFT's view of it."""
        return self.network.peft if isinstance(self.network, LoraNetwork) else self.network.module

    @classmethod
    def of(cls, opened: Opened, before: TrlWeights | None = None) -> TrlWeights:
        """Weights that were opened. vLLM stays: it gets other weights when it is next asked."""
        made = cls(opened.network, opened.renderer, opened.origin, waiting=opened.moments)
        if before is not None:
            made.vllm = before.vllm
        return made

    def forget_moments(self) -> None:
        """The next stage's trainer makes its optimizer anew."""
        self.optimizer = self.waiting = None

    def save(self, folder: Path) -> str:
        """Write `model/` in fp32, `adapter/` under LoRA, and `trainer.pt`; returns the hash of the
        weights."""
        model = folder / MODEL
        self.network.save(folder)
        cast(Any, self.renderer.tokenizer).save_pretrained(model)
        moments = self.waiting if self.optimizer is None else self.optimizer.state_dict()
        torch.save({"optimizer": moments, "origin": str(self.origin)}, folder / STATE)
        return weights_sha(model)

    def unwrap(self) -> None:
        """Take off what TRL and accelerate laid on the module's forward for a stage (its temperature, its
        autocast), so that the next stage lays its own on the model itself."""
        for module in (self.trained, self.module):
            vars(module).pop("forward", None)
            vars(module).pop("_original_forward", None)
