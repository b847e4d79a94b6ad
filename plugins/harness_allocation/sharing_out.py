"""Sharing a number of samples out among tasks so that a concave total value is greatest."""

from __future__ import annotations

import numpy as np
from harness_curricula.index import Floats, Indices


def shared_out(gains: Floats, budget: int) -> Indices:
    """How many samples each task gets, shape (tasks,).

    Args:
        gains: value of a task's next sample, then of the one after it, ...: shape (tasks, most). Rows do not
            rise, so that the greatest gains of all are the best allocation (no dynamic program is needed).
        budget: samples to share out; samples without any gain are given to nobody.
    """
    tasks, most = gains.shape
    order = np.argsort(-gains, axis=None, kind="stable")[: max(0, budget)]
    order = order[gains.ravel()[order] > 0]
    return np.bincount(order // max(1, most), minlength=tasks)
