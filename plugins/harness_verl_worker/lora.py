"""Adapters under verl: merged weights for the rollout servers, and the adapter for checkpoints.

verl merges in place and sends the result in bfloat16, whatever the servers compute in; here base and
adapter are left alone, and the sum is sent as it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from verl.utils.device import get_device_id
from verl.utils.fsdp_utils import offload_fsdp_model_to_cpu
from verl.workers.engine_workers import TrainingWorker

#: PEFT's name for the one adapter that there is, as part of its tensors' names.
_NAME = ".default"
_PREFIX = "base_model.model."


class ActorWorker(TrainingWorker):  # type: ignore[misc]
    """verl's actor; under LoRA it sends weights as `merged` makes them."""

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        if self.model_config.lora_rank:
            self.engine._merged_lora_per_tensor_param = lambda: merged(self.engine)


def merged(engine: Any) -> Iterator[tuple[str, torch.Tensor]]:
    """Base plus adapter, a tensor at a time, under the base model's names; of all ranks together."""
    try:
        state = engine.module.state_dict()
        for name, tensor in state.items():
            if ".lora_" in name:
                continue
            full = _full(tensor)
            layer, inside, last = name.partition(".base_layer.")
            if inside and last == "weight":
                first, second = (_full(state[f"{layer}.lora_{which}{_NAME}.weight"]) for which in "AB")
                about = engine.module.get_submodule(layer)
                delta = about.scaling[_NAME.lstrip(".")] * (second.float() @ first.float())
                full = full + (delta.T if about.fan_in_fan_out else delta).to(full.dtype)
            plain = f"{layer}.{last}" if inside else name
            yield plain.removeprefix(_PREFIX), full
    finally:
        if engine._is_offload_param:
            offload_fsdp_model_to_cpu(engine.module)


def write_adapter(engine: Any, folder: Path, rank: int) -> None:
    """The adapter's tensors in PEFT's form, in fp32; every rank must call it, the first one writes."""
    tensors = {
        name.replace(f"{_NAME}.", "."): _full(tensor).float().cpu().contiguous()
        for name, tensor in engine.module.state_dict().items()
        if ".lora_" in name
    }
    if rank == 0:
        folder.mkdir(parents=True, exist_ok=True)
        save_file(tensors, folder / "adapter_model.safetensors", metadata={"format": "pt"})


def _full(tensor: Any) -> torch.Tensor:
    """A tensor from its shards, or a copy of a whole one."""
    moved: torch.Tensor = tensor.to(get_device_id())
    return moved.full_tensor() if hasattr(moved, "full_tensor") else moved.detach().clone()
