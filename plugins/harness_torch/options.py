"""Options of the trainer `torch`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Count = Annotated[int, Field(gt=0)]


class TorchOptions(BaseModel):
    """What is None is taken from the recipe's `[model]` and `[resources]`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    prompt: Literal["chat", "raw"] | None = None
    device: Literal["auto", "cpu", "cuda"] | None = None
    #: `bf16` computes matrix products in bfloat16; weights, gradients and moments stay fp32.
    precision: Literal["fp32", "bf16"] | None = None
    threads: Count | None = None
    #: Most tokens, padding included, of a forward and backward pass.
    micro_batch_tokens: Count = 4_096
    #: Leave completions without advantage out of forward and backward where that cannot change the
    #: gradient (no KL, no entropy, no other terms); False is for measuring what that saves.
    skip_without_advantage: bool = True
    #: Passes over one batch, each an optimizer update; above 1 the clip range matters.
    updates: Count = 1
    #: Folder of the KL term's reference model; None is the policy that the run started from.
    reference: str | None = None
    #: Most completions decoded together.
    batch_rows: Count = 128
    #: Most tokens (prompts, and completions at full length) decoded together.
    batch_tokens: Count = 262_144
    #: False uses transformers' own forward for Llama models too.
    own_decoder: bool = True
