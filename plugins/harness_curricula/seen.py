"""What is read off a subject's label when the subject is first seen, and kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from harness.contract import Difficulty, Pool
from harness_curricula.index import Floats, Index, grown


class SeenMeans:
    """The posterior mean pass rate of each subject when it was first seen."""

    def __init__(self, means: Mapping[str, float] | None = None) -> None:
        self._index = Index(list(means or ()))
        self._means: Floats = np.array(list((means or {}).values()), dtype=np.float64)

    def on(self, pool: Pool) -> Floats:
        """Means of the pool's subjects, shape (subjects,).

        A subject without a label has the prior's mean, one half.
        """
        slots = self._index.slots(pool.subjects)
        self._means = grown(self._means, len(self._index), np.nan)  # type: ignore[assignment]
        means: Floats = self._means[slots]
        new = np.flatnonzero(np.isnan(means))
        if len(new):
            means[new] = _means([pool.subjects[i] for i in new.tolist()], pool.labels)
            self._means[slots] = means
        return means

    def state_dict(self) -> dict[str, float]:
        known = self._means[: len(self._index)].tolist()
        return dict(zip(self._index.ids, known, strict=True))


def _means(subjects: Sequence[str], labels: Mapping[str, Difficulty]) -> list[float]:
    known = map(labels.get, subjects)
    return [0.5 if label is None else label.mean for label in known]
