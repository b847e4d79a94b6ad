"""A causal language model as generation and training see it: decode, score, save.

`open_network` picks the fast path for Llama weights and transformers' own forward for all else; both
give the same numbers (`tests/plugins/transformers/test_decoder.py`).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Protocol, cast

import numpy.typing as npt
import torch
from torch import Tensor, nn

from harness.contract import DataError
from harness_transformers import causal
from harness_transformers.decoder import LlamaDecoding
from harness_transformers.fused import FusedDecoding, Memory, fuses
from harness_transformers.llama import (
    LlamaWeights,
    completion_states,
    is_llama,
    llama_weights,
    logits_of,
    prefill,
)
from harness_transformers.reading import reading

Array = npt.NDArray[Any]

#: File with the weights, in a checkpoint's folder.
MODEL: Final = "model"


class Decoding(Protocol):
    """Unfinished completions, one per slot; at first there is one slot per prompt."""

    @property
    def logits(self) -> Tensor:
        """Logits of the next token, fp32, (slots, vocabulary)."""
        ...

    def step(self, tokens: Array, parents: Array) -> Tensor:
        """Go on with new slots: each continues the slot `parents` by the token `tokens`, (new slots,) both.

        A parent may be continued by several tokens, or by none; parents ascend. Returns the new `logits`.
        """
        ...


class Network(Protocol):
    """Weights that can be decoded from, scored with and saved."""

    module: nn.Module

    def parameters(self) -> list[Tensor]:
        """Trainable tensors, each once."""
        ...

    def decode(self, prompts: Tensor, lengths: Tensor, rows: int, limit: int) -> Decoding:
        """Prefill prompts (P, longest), padded on the right, for completions of at most `limit` tokens in
        at most `rows` slots. Call under `torch.inference_mode`."""
        ...

    def score(self, prompts: Tensor, lengths: Tensor, completions: Tensor, mask: Tensor) -> Tensor:
        """Logits (tokens, vocabulary), fp32 and differentiable, that predict the completion tokens
        where `mask` is true. Shapes: prompts (P, longest), completions and mask (P, G, T), padded on
        the right."""
        ...

    def changed(self) -> None:
        """The parameters were updated in place."""
        ...

    def save(self, folder: Path) -> None:
        """Write the weights as `model/`, in transformers' form."""
        ...


class LlamaNetwork:
    """Llama weights on the fast path."""

    def __init__(
        self, module: nn.Module, precision: torch.dtype = torch.float32, *, fused: bool = True
    ) -> None:
        """`fused` decodes by compiled loops if they can be had (`fused.fuses`)."""
        self.module = module
        self.weights = llama_weights(module)
        self.precision = precision
        self._fused = fused
        self._memory: list[Memory] = []
        self._cast: LlamaWeights | None = None

    def parameters(self) -> list[Tensor]:
        return self.weights.parameters()

    def decode(self, prompts: Tensor, lengths: Tensor, rows: int, limit: int) -> Decoding:
        if self._cast is None:
            self._cast = self.weights.matrices_in(self.precision)
        if self._fused and fuses(self._cast):
            return FusedDecoding(self._cast, prompts, lengths, rows, limit, self._memory)
        return LlamaDecoding(self._cast, prompts, lengths, limit)

    def score(self, prompts: Tensor, lengths: Tensor, completions: Tensor, mask: Tensor) -> Tensor:
        with autocast(self.precision, completions.device):
            prefix = prefill(self.weights, prompts, lengths)
            return logits_of(self.weights, completion_states(self.weights, prefix, completions, mask))

    def changed(self) -> None:
        self._cast = None

    def save(self, folder: Path) -> None:
        cast(Any, self.module).save_pretrained(folder / MODEL)


class CausalNetwork:
    """Any other causal language model of transformers."""

    def __init__(self, module: nn.Module, precision: torch.dtype = torch.float32) -> None:
        self.module = module
        self.precision = precision

    def parameters(self) -> list[Tensor]:
        return [p for p in self.module.parameters() if p.requires_grad]

    def decode(self, prompts: Tensor, lengths: Tensor, rows: int, limit: int) -> Decoding:
        with autocast(self.precision, prompts.device):
            return _Autocast(causal.CausalDecoding(self.module, prompts, lengths), self.precision)

    def score(self, prompts: Tensor, lengths: Tensor, completions: Tensor, mask: Tensor) -> Tensor:
        with autocast(self.precision, completions.device):
            return causal.completion_logits(self.module, prompts, lengths, completions, mask)

    def changed(self) -> None:
        """Nothing is derived from the parameters."""

    def save(self, folder: Path) -> None:
        cast(Any, self.module).save_pretrained(folder / MODEL)


class _Autocast:
    """A decoding whose steps run in mixed precision."""

    def __init__(self, decoding: causal.CausalDecoding, precision: torch.dtype) -> None:
        self._decoding, self._precision = decoding, precision

    @property
    def logits(self) -> Tensor:
        return self._decoding.logits

    def step(self, tokens: Array, parents: Array) -> Tensor:
        with autocast(self._precision, self._decoding.logits.device):
            return self._decoding.step(tokens, parents)


@contextlib.contextmanager
def autocast(precision: torch.dtype, device: torch.device) -> Iterator[None]:
    """Mixed precision when `precision` is not fp32; weights stay fp32."""
    with torch.autocast(device.type, dtype=precision, enabled=precision != torch.float32):
        yield


def open_network(
    path: Path,
    *,
    device: str = "cpu",
    precision: str = "fp32",
    own_decoder: bool = True,
    fused: bool = True,
) -> Network:
    """The model in a transformers folder, its weights in fp32.

    Args:
        precision: `bf16` computes matrix products in bfloat16 over fp32 weights.
        own_decoder: False always uses transformers' own forward.
        fused: False never decodes by compiled loops (`fused.py`).
    """
    module = open_module(path).to(device)
    return as_network(module, precision=precision, own_decoder=own_decoder, fused=fused)


def open_module(path: Path) -> nn.Module:
    """The model in a transformers folder as transformers opens it, in fp32 on the CPU.

    Raises:
        DataError: it cannot be read, or the weights lack a tensor; transformers would draw it at random.
    """
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging

    # The harness shows progress of its own.
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    with reading("the model", path):
        module, about = cast(Any, AutoModelForCausalLM).from_pretrained(
            path, dtype=torch.float32, local_files_only=True, output_loading_info=True
        )
    if missing := sorted(about["missing_keys"]):
        raise DataError(
            f"the weights lack {len(missing)} of the model's tensors, such as {missing[0]!r}",
            where=str(path),
            hint="make or download the folder anew; "
            "if the output layer is the embeddings, config.json says tie_word_embeddings",
        )
    # Dropout off: what is trained is what was sampled from.
    return cast(nn.Module, module.eval())


def as_network(
    module: nn.Module, *, precision: str = "fp32", own_decoder: bool = True, fused: bool = True
) -> Network:
    """A transformers model that is already open."""
    dtype = {"fp32": torch.float32, "bf16": torch.bfloat16}[precision]
    fast = own_decoder and is_llama(cast(Any, module).config)
    return LlamaNetwork(module, dtype, fused=fused) if fast else CausalNetwork(module, dtype)
