"""Opening a policy to go on training it: its weights, or its adapter, and the optimizer's moments."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import torch
from harness_transformers.lora import ADAPTER, open_lora
from harness_transformers.network import Network, open_network

from harness.errors import TrainingError
from harness.protocols import BuildContext, Policy

#: Of the optimizer, below a checkpoint's folder.
STATE: Final = "trainer.pt"


@dataclass(frozen=True, slots=True)
class Opened:
    """Live weights."""

    network: Network
    #: Folder of the policy that the run started from.
    origin: Path
    #: AdamW's state in the checkpoint, None for a base model.
    moments: dict[str, Any] | None


def open_policy(
    policy: Policy,
    context: BuildContext,
    *,
    trainer: str,
    device: torch.device,
    precision: Literal["fp32", "bf16"],
    own_decoder: bool,
) -> Opened:
    """A policy's weights as they go on being trained: under LoRA the initial policy's, frozen, with the
    adapter of the policy's checkpoint.

    Args:
        trainer: whose checkpoint it must be, if it has one.

    Raises:
        TrainingError: the checkpoint is another trainer's, or its adapter is not the recipe's.
    """
    checkpoint = policy.checkpoint
    origin, moments = policy.files.path, None
    if checkpoint is not None:
        try:
            state = torch.load(checkpoint / STATE, map_location=device, weights_only=True)
        except FileNotFoundError:
            raise TrainingError(
                f"the checkpoint has no state of the trainer {trainer!r}", where=str(checkpoint)
            ) from None
        origin, moments = Path(state["origin"]), state["optimizer"]
    if context.lora is None:
        network: Network = open_network(
            policy.files.path, device=device.type, precision=precision, own_decoder=own_decoder
        )
    else:
        network = open_lora(
            context.initial.path if context.initial is not None else origin,
            None if checkpoint is None else checkpoint / ADAPTER,
            context.lora,
            seed=context.seed,
            device=device.type,
            precision=precision,
        )
    return Opened(network, origin, moments)
