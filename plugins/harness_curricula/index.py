"""Slots for ids: what is known of a million subjects as arrays instead of objects.

A stage may draw from several pools (a mixture) that share subjects, so knowledge is kept by slot and
read for a pool by one vectorised look-up. The slots of a pool's list are worked out once.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Indices = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]

#: Lists of subjects whose slots are remembered; far above the parts of any mixture.
_REMEMBERED = 64


class Index:
    """Gives each id a slot, in order of first sight."""

    def __init__(self, ids: Sequence[str] = ()) -> None:
        self.ids: list[str] = []
        self._slot: dict[str, int] = {}
        # The lists themselves are kept beside their slots, so that no other list can get their id().
        self._pools: dict[int, tuple[Sequence[str], Indices]] = {}
        for subject in ids:
            self.slot(subject)

    def __len__(self) -> int:
        return len(self.ids)

    def slot(self, subject: str) -> int:
        slot = self._slot.setdefault(subject, len(self.ids))
        if slot == len(self.ids):
            self.ids.append(subject)
        return slot

    def slots(self, subjects: Sequence[str]) -> Indices:
        """Slots of all these subjects, shape (subjects,)."""
        entry = self._pools.get(id(subjects))
        if entry is None:
            if len(self._pools) >= _REMEMBERED:
                self._pools.clear()
            slots = np.fromiter(map(self.slot, subjects), dtype=np.int64, count=len(subjects))
            entry = self._pools[id(subjects)] = (subjects, slots)
        return entry[1]


def grown(values: npt.NDArray[np.generic], size: int, fill: float) -> npt.NDArray[np.generic]:
    """`values` with at least `size` rows, new ones filled; grows by doubling."""
    if len(values) >= size:
        return values
    rows = max(size, 2 * len(values), 64) - len(values)
    return np.concatenate([values, np.full((rows, *values.shape[1:]), fill, dtype=values.dtype)])
