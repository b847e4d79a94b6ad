"""Rows of the same prompt in chunks of one size, so that what they share is one matrix product per chunk."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

#: What a chunk costs besides its places, in places: its prompt's keys and values are read once more.
_COST = 4


@dataclass(frozen=True, slots=True)
class Chunks:
    """C chunks of `size` places each; the last chunk of a prompt may have places without a row."""

    size: int
    #: Prompt of each chunk, (C,).
    prompts: Tensor
    #: Row at every place, any number for a place without one, (C * size,); place of every row, (rows,).
    row: Tensor
    place: Tensor

    @classmethod
    def of(cls, prompts: Tensor) -> Chunks:
        """Chunks of rows whose prompts, (rows,), ascend."""
        distinct, counts = np.unique(prompts.cpu().numpy(), return_counts=True)

        def number(size: int) -> int:
            return int((-(-counts // size)).sum())

        size = min((int(c) for c in np.unique(counts)), key=lambda size: (size + _COST) * number(size))
        chunks = -(-counts // size)
        starts = (chunks.cumsum() - chunks) * size
        place = np.arange(counts.sum()) + np.repeat(starts - (counts.cumsum() - counts), counts)
        row = np.zeros(chunks.sum() * size, dtype=np.int64)
        row[place] = np.arange(len(place))
        there = (torch.from_numpy(a).to(prompts.device) for a in (np.repeat(distinct, chunks), row, place))
        return cls(size, *there)

    def grid(self, rows: Tensor) -> Tensor:
        """(rows, ...) to (C, size, ...)."""
        placed = rows if len(self.row) == len(self.place) else rows.index_select(0, self.row)
        return placed.view(-1, self.size, *placed.shape[1:])

    def rows(self, grid: Tensor) -> Tensor:
        """(C, size, ...) to (rows, ...)."""
        placed = grid.flatten(0, 1)
        return placed if len(self.row) == len(self.place) else placed.index_select(0, self.place)
