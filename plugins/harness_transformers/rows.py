"""Which row of a cache each slot of a decoding stands in.

Moving rows of a cache costs a copy of it, so completions that are done keep theirs until a fifth of the rows
is theirs; a slot that is continued by several tokens needs its row once for each, at once.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Array = npt.NDArray[Any]

#: Rows are packed when that leaves at most this share of them.
_WORTH_PACKING = 0.8


class Rows:
    """Rows of a cache, some of which are slots."""

    def __init__(self, count: int, device: torch.device) -> None:
        """A row for each of `count` slots."""
        self.device = device
        self._count, self._of_slots = count, np.arange(count)

    def continued(self, tokens: Array, parents: Array) -> tuple[Tensor, Tensor | None]:
        """Go on with new slots: each continues the slot `parents` by the token `tokens`.

        Returns:
            The token that each row appends, (rows,), any in rows without a slot; and the old row of each
            row, None if rows stay as they are.
        """
        rows = self._of_slots[parents]
        parted = len(rows) > 1 and bool((rows[1:] == rows[:-1]).any())
        if parted or len(rows) <= _WORTH_PACKING * self._count:
            self._count, self._of_slots = len(rows), np.arange(len(rows))
            return self._there(tokens), self._there(rows)
        self._of_slots = rows
        appended = np.zeros(self._count, dtype=np.int64)
        appended[rows] = tokens
        return self._there(appended), None

    def of_slots(self, values: Tensor) -> Tensor:
        """Those of the slots, of values (rows, ...)."""
        return values if len(self._of_slots) == self._count else values[self._there(self._of_slots)]

    def _there(self, numbers: Array) -> Tensor:
        return torch.from_numpy(numbers).to(self.device)
