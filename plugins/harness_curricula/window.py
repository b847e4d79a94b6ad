"""Which subjects a window of measured difficulty keeps, as first seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from harness.errors import TrainingError
from harness.protocols import CurriculumContext, Pool
from harness.records import Difficulty
from harness_curricula.index import Flags, Floats, Index, grown
from harness_curricula.options import Window


class SeenMeans:
    """The posterior mean pass rate of each subject when it was first asked about; nan before that."""

    def __init__(self, means: Mapping[str, float] | None = None) -> None:
        self._index = Index(list(means or ()))
        self._means: Floats = np.array(list((means or {}).values()), dtype=np.float64)

    def on(self, pool: Pool, *, learn: bool) -> Floats:
        """Means of the pool's subjects, shape (subjects,); unseen ones are read off the labels if `learn`.

        A subject without a label has the prior's mean, one half.
        """
        slots = self._index.slots(pool.subjects)
        self._means = grown(self._means, len(self._index), np.nan)  # type: ignore[assignment]
        means: Floats = self._means[slots]
        new = np.flatnonzero(np.isnan(means))
        if learn and len(new):
            means[new] = _means([pool.subjects[i] for i in new.tolist()], pool.labels)
            self._means[slots] = means
        return means

    def state_dict(self) -> dict[str, Any]:
        known = self._means[: len(self._index)].tolist()
        return {s: mean for s, mean in zip(self._index.ids, known, strict=True) if mean == mean}


def _means(subjects: Sequence[str], labels: Mapping[str, Difficulty]) -> list[float]:
    known = map(labels.get, subjects)
    return [0.5 if label is None else label.mean for label in known]


def inside(name: str, window: Window, means: Floats, context: CurriculumContext) -> Flags:
    """Which positions lie in the window; nan never does.

    Raises:
        TrainingError: none does; says which means there are.
    """
    flags: Flags = (means >= window.low) & (means <= window.high)
    if flags.any():
        return flags
    seen = means[~np.isnan(means)]
    what = f"they lie between {seen.min():.3f} and {seen.max():.3f}" if len(seen) else "none was measured"
    raise TrainingError(
        f"curriculum {name!r}: none of {len(means)} subjects has a posterior mean pass rate in "
        f"[{window.low}, {window.high}]; {what}",
        where=f"stage {context.stage!r}",
        hint="widen the window or the stage's select rule, or measure anew before it (reestimate = true)",
    )
