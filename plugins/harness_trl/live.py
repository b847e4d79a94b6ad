"""The live weights between TRL's trainers: one model, one optimizer, and their form on disk.

TRL makes a trainer a stage. What outlives a stage is here: the transformers module that TRL trains and
the engine decodes from (for Llama models both are views of the same matrices), and AdamW's moments.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

import torch
from harness_torch.opening import STATE, open_policy
from harness_transformers.lora import LoraNetwork
from harness_transformers.network import MODEL, Network
from harness_transformers.prompts import Renderer
from harness_transformers.weights import weights_sha

from harness.protocols import BuildContext, Policy


@dataclass(slots=True)
class Live:
    """The policy in training."""

    network: Network
    renderer: Renderer
    #: Folder of the policy that the run started from.
    origin: Path
    #: AdamW over the module's parameters, made by the first stage's trainer.
    optimizer: torch.optim.Optimizer | None = None
    #: Moments of a checkpoint that wait for an optimizer.
    waiting: dict[str, Any] | None = None
    #: TRL's vLLM, where a recipe asks for it, made by the first stage's trainer.
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
    def open(
        cls,
        policy: Policy,
        *,
        device: torch.device,
        precision: Literal["fp32", "bf16"],
        prompt: Literal["chat", "raw"],
        own_decoder: bool,
        context: BuildContext,
    ) -> Live:
        """The weights of a policy; the moments too where it has a checkpoint.

        Raises:
            TrainingError: its checkpoint is another trainer's.
        """
        opened = open_policy(
            policy, context, trainer="trl", device=device, precision=precision, own_decoder=own_decoder
        )
        renderer = Renderer.open(policy.files.path, prompt)
        return cls(opened.network, renderer, opened.origin, waiting=opened.moments)

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
        vars(self.trained).pop("forward", None)
        vars(self.trained).pop("_original_forward", None)
