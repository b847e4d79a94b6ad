"""Fading counts of passes and fails by subject."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from harness.contract import Group
from harness_curricula.index import Floats, Index, grown

#: Evidence that has faded below this is none: a pass of 450 steps ago at a decay of 0.97.
_NOTHING = 1e-6


def outcomes(group: Group) -> tuple[int, int]:
    """Passes and fails among the group's fresh samples; what could not be judged is neither."""
    judged = [sample.verdict.status for sample in group.fresh if sample.judged]
    passes = judged.count("pass")
    return passes, len(judged) - passes


def comes_again(group: Group) -> bool:
    """Whether the group's task is all that its subject has, so that a later draw is the same task.

    A finite source's subjects are its task ids; a stratum never repeats a task.
    """
    return group.task == group.subject


class Evidence:
    """Passes and fails that lose a share of their weight every step."""

    def __init__(self, decay: float, counts: Mapping[str, Sequence[float]] | None = None) -> None:
        self._decay = decay
        self._index = Index(list(counts or ()))
        #: Shape (slots, 2): passes and fails.
        self._counts: Floats = np.array(list((counts or {}).values()), dtype=np.float64).reshape(-1, 2)

    def count(self, group: Group, about: Iterable[tuple[str, float]]) -> None:
        """Add a group's outcomes to what is known of subjects, each with a weight (`Sharing.weights`)."""
        passes, fails = outcomes(group)
        for subject, weight in about:
            self._add(subject, weight * passes, weight * fails)

    def fade(self) -> None:
        """One step has passed."""
        self._counts *= self._decay
        self._counts[self._counts.sum(axis=1) < _NOTHING] = 0.0

    def on(self, subjects: Sequence[str]) -> Floats:
        """Passes and fails of each subject, shape (subjects, 2)."""
        slots = self._index.slots(subjects)
        self._counts = grown(self._counts, len(self._index), 0.0)  # type: ignore[assignment]
        counts: Floats = self._counts[slots]
        return counts

    def state_dict(self) -> dict[str, Any]:
        known = self._counts[: len(self._index)]
        slots = np.flatnonzero(known.sum(axis=1)).tolist()
        return {self._index.ids[slot]: known[slot].tolist() for slot in slots}

    def _add(self, subject: str, passes: float, fails: float) -> None:
        slot = self._index.slot(subject)
        if slot >= len(self._counts):
            self._counts = grown(self._counts, slot + 1, 0.0)  # type: ignore[assignment]
        self._counts[slot, 0] += passes
        self._counts[slot, 1] += fails
