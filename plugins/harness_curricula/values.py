"""A few numbers by subject, as one array: what online curricula remember."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from harness_curricula.index import Floats, Index, grown


class Values:
    """Rows of numbers by id; an unknown id has the default row.

    Args:
        default: the row of an id of which nothing is known, shape (columns,).
        kept: what `state_dict` gave.
    """

    def __init__(self, default: Sequence[float], kept: Mapping[str, Sequence[float]] | None = None) -> None:
        self._default = np.array(default, dtype=np.float64)
        self._index = Index(list(kept or ()))
        rows = np.array(list((kept or {}).values()), dtype=np.float64)
        self._rows: Floats = rows.reshape(-1, len(self._default))

    def row(self, subject: str) -> Floats:
        """The row of a subject, shape (columns,), to read and to change in place."""
        slot = self._index.slot(subject)
        self._grow()
        row: Floats = self._rows[slot]
        return row

    def on(self, subjects: Sequence[str]) -> Floats:
        """A copy of all these rows, shape (subjects, columns)."""
        slots = self._index.slots(subjects)
        self._grow()
        rows: Floats = self._rows[slots]
        return rows

    def _grow(self) -> None:
        before = len(self._rows)
        self._rows = grown(self._rows, len(self._index), 0.0)  # type: ignore[assignment]
        self._rows[before:] = self._default

    def state_dict(self) -> dict[str, Any]:
        """Rows that differ from the default, by id."""
        known = self._rows[: len(self._index)]
        slots = np.flatnonzero((known != self._default).any(axis=1)).tolist()
        return {self._index.ids[slot]: known[slot].tolist() for slot in slots}
