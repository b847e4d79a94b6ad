"""Keeps the policy's entropy from falling below a floor."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from harness import hookimpl
from harness.contract import BuildContext
from harness.plugging import Register


@hookimpl
def register_losses(register: Register) -> None:
    register("entropy-floor", f"{__name__}:EntropyFloor", options=f"{__name__}:EntropyFloorOptions")


class EntropyFloorOptions(BaseModel):
    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    floor: float = Field(default=0.1, ge=0)
    """In nats per token."""
    weight: float = Field(default=0.01, gt=0)
    """Factor of what is missing."""


class EntropyFloor:
    #: Each is a tensor of shape (rows, tokens); `entropy` carries a gradient.
    inputs = ("entropy",)

    def __init__(self, options: EntropyFloorOptions, context: BuildContext) -> None:
        self._floor, self._weight = options.floor, options.weight

    def __call__(self, **inputs: Any) -> Any:
        """Shape (rows, tokens); the trainer adds it to what is minimised."""
        return self._weight * (self._floor - inputs["entropy"]).clamp(min=0)
