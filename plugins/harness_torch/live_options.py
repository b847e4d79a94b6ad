"""Options of trainers in this process; importing them imports no torch."""

from __future__ import annotations

from typing import Literal

from harness.recipe.stage import Count, Model


class LiveOptions(Model):
    """What is None is taken from the recipe's `[model]` and `[resources]`."""

    prompt: Literal["chat", "raw"] | None = None
    device: Literal["auto", "cpu", "cuda"] | None = None
    #: `bf16` computes matrix products in bfloat16; weights, gradients and moments stay fp32.
    precision: Literal["fp32", "bf16"] | None = None
    threads: Count | None = None
    #: Passes over one batch, each an optimizer update; above 1 the clip range matters.
    updates: Count = 1
    #: Folder of the KL term's reference model; None is the policy that the run started from.
    reference: str | None = None
    #: Most completions that the engine decodes together.
    batch_rows: Count = 128
    #: Most tokens (prompts, and completions at full length) that the engine decodes together.
    batch_tokens: Count = 262_144
    #: False uses transformers' own forward for Llama models too.
    own_decoder: bool = True
