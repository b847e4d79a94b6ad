"""Options of trainers in this process; importing them imports no torch."""

from __future__ import annotations

from typing import Literal

from harness.recipe import Count, Model


class LiveOptions(Model):
    """Options of trainers that hold the model in this process. Those that are not set are taken from the
    recipe's `[model]` and `[resources]`."""

    prompt: Literal["chat", "raw"] | None = None
    """How messages become a prompt: `chat` renders them with the tokenizer's chat template, `raw` joins
    their texts. If not set, `model.prompt` of the recipe decides."""
    device: Literal["auto", "cpu", "cuda"] | None = None
    """Device of the model; `auto` takes a GPU if there is one. If not set, `resources.device` of the recipe
    decides."""
    precision: Literal["fp32", "bf16"] | None = None
    """Precision of matrix products; weights, gradients and optimizer moments stay fp32. If not set,
    `resources.precision` of the recipe decides."""
    threads: Count | None = None
    """CPU threads of PyTorch. If not set, `resources.threads` of the recipe decides."""
    reference: str | None = None
    """Folder of the reference model for the KL term. If not set, the policy that the run started from."""
    batch_rows: Count = 128
    """Most completions that are decoded together."""
    batch_tokens: Count = 262_144
    """Most tokens (prompts, and completions at full length) that are decoded together. It bounds the memory
    of the key-value cache."""
    own_decoder: bool = True
    """Whether Llama models are decoded by this project's own code. False uses transformers' forward pass
    for them too, which is slower and gives the same numbers."""
