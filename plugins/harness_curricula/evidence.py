"""Fading counts of passes and fails by subject, kept for the subjects that were ever seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


class Evidence:
    """Passes and fails that lose a share of their weight every step."""

    def __init__(self, decay: float) -> None:
        self._decay = decay
        self._slot: dict[str, int] = {}
        #: Shape (capacity, 2): passes and fails of each slot.
        self._counts: Floats = np.zeros((64, 2))
        self._subjects: Sequence[str] = ()
        self._index: dict[str, int] = {}

    def add(self, subject: str, passes: int, fails: int) -> None:
        slot = self._slot.setdefault(subject, len(self._slot))
        if slot >= len(self._counts):
            self._counts = np.concatenate([self._counts, np.zeros_like(self._counts)])
        self._counts[slot] += (passes, fails)

    def fade(self) -> None:
        """One step has passed."""
        self._counts *= self._decay

    def on(self, subjects: Sequence[str]) -> tuple[npt.NDArray[np.int64], Floats]:
        """Positions in `subjects` that have evidence, ascending, and their counts (positions, 2)."""
        if subjects is not self._subjects:
            self._index = {subject: i for i, subject in enumerate(subjects)}
            self._subjects = subjects
        known = [(self._index[s], slot) for s, slot in self._slot.items() if s in self._index]
        known.sort()
        pairs = np.array(known, dtype=np.int64).reshape(-1, 2)
        return pairs[:, 0], self._counts[pairs[:, 1]]

    def state_dict(self) -> dict[str, Any]:
        return {subject: self._counts[slot].tolist() for subject, slot in sorted(self._slot.items())}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._slot = {subject: slot for slot, subject in enumerate(state)}
        self._counts = np.zeros((max(64, 2 * len(state)), 2))
        if state:
            self._counts[: len(state)] = list(state.values())
