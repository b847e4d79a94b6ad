"""Any causal language model of transformers, through its own forward and its own cache.

Prompts are padded on the left, as transformers' attention masks and caches expect; a prompt is
prefilled once and its cache repeated for its completions.
"""

from __future__ import annotations

import inspect
from typing import Any, cast

import numpy.typing as npt
import torch
from torch import Tensor, nn

from harness_transformers.rows import Rows

Array = npt.NDArray[Any]


def left_padded(prompts: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
    """Right-padded prompts (P, longest) moved to the right end, and their attention mask."""
    width = prompts.shape[1]
    shift = (width - lengths)[:, None]
    columns = torch.arange(width, device=prompts.device)
    mask = columns >= shift
    moved = prompts.gather(1, (columns - shift).clamp(min=0))
    return torch.where(mask, moved, 0), mask.long()


def positions_of(mask: Tensor) -> Tensor:
    """Positions that count only what the mask (rows, tokens) lets through."""
    return (mask.cumsum(-1) - 1).clamp(min=0)


class CausalDecoding:
    """Completions in the making, a row of the cache for each slot, and for those that are done until
    `Rows` drops them."""

    def __init__(self, model: nn.Module, prompts: Tensor, lengths: Tensor) -> None:
        """Prefill prompts (P, longest), padded on the right, a slot for each."""
        self.model = model
        ids, mask = left_padded(prompts, lengths)
        out = model(input_ids=ids, attention_mask=mask, position_ids=positions_of(mask), use_cache=True)
        self.cache: Any = out.past_key_values
        self.mask, self.next = mask, lengths
        self.rows = Rows(len(prompts), prompts.device)
        self.logits: Tensor = out.logits[:, -1].float()

    def step(self, tokens: Array, parents: Array) -> Tensor:
        """Go on with new slots, (new slots,) both; return the next token's logits, (slots, vocabulary)."""
        appended, moved = self.rows.continued(tokens, parents)
        if moved is not None:
            self.cache.batch_select_indices(moved)
            self.mask, self.next = self.mask[moved], self.next[moved]
        self.mask = torch.cat((self.mask, self.mask.new_ones(len(self.mask), 1)), 1)
        out = self.model(
            input_ids=appended[:, None],
            attention_mask=self.mask,
            position_ids=self.next[:, None],
            past_key_values=self.cache,
            use_cache=True,
        )
        self.next = self.next + 1
        self.logits = self.rows.of_slots(out.logits[:, -1]).float()
        return self.logits


def completion_logits(
    model: nn.Module, prompts: Tensor, lengths: Tensor, completions: Tensor, mask: Tensor
) -> Tensor:
    """Logits (tokens, vocabulary) that predict the completion tokens where `mask` (P, G, T) is true."""
    group, width = completions.shape[1:]
    ids, prompt_mask = left_padded(prompts, lengths)
    rows = torch.cat((ids.repeat_interleave(group, 0), completions.flatten(0, 1)), 1)
    seen = torch.cat((prompt_mask.repeat_interleave(group, 0), mask.flatten(0, 1).long()), 1)
    options = (
        {"logits_to_keep": width + 1}
        if "logits_to_keep" in inspect.signature(cast(Any, model).forward).parameters
        else {}
    )
    out = model(
        input_ids=rows, attention_mask=seen, position_ids=positions_of(seen), use_cache=False, **options
    )
    predicting: Tensor = out.logits[:, -width - 1 : -1]
    return predicting[mask.flatten(0, 1)].float()
