"""FSDP2 on a CPU, for verl's engine registry; imported in its workers by `model.external_lib`."""

from __future__ import annotations

from typing import Any

from verl.workers.engine.base import EngineRegistry
from verl.workers.engine.fsdp.transformer_impl import FSDPEngineWithLMHead


@EngineRegistry.register(model_type="language_model", backend="fsdp2", device="cpu")
class CpuFsdp2Engine(FSDPEngineWithLMHead):  # type: ignore[misc]
    """verl's engine without what needs an accelerator."""

    def _build_fsdp_module(self, module: Any) -> Any:
        # A reference model (`forward_only`) is given CPUOffloadPolicy(pin_memory=True), which needs an
        # accelerator; on a CPU there is nothing to offload from.
        config = self.engine_config
        forward_only = config.forward_only
        object.__setattr__(config, "forward_only", False)  # The dataclass is frozen.
        try:
            return super()._build_fsdp_module(module)
        finally:
            object.__setattr__(config, "forward_only", forward_only)
