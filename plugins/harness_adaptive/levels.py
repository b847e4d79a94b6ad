"""Subjects sorted into levels of equal size, from easy to hard."""

from __future__ import annotations

import numpy as np
from harness_curricula.index import Indices

from harness.contract import Pool


def levels(pool: Pool, count: int) -> tuple[Indices, int]:
    """The level of each subject, 0 the easiest, shape (subjects,), and how many levels there are.

    If every subject has a label, the order is that of their pass rates; otherwise it is the source's own,
    which is easy to hard if it has one.

    Args:
        count: levels; 0 makes each subject one.
    """
    size = len(pool.subjects)
    count = min(count, size) or size
    ranks = np.arange(size)
    labels = [pool.labels.get(subject) for subject in pool.subjects] if pool.labels else [None]
    known = [label.mean for label in labels if label is not None]
    if len(known) == size:
        ranks[np.argsort(-np.array(known), kind="stable")] = np.arange(size)
    return ranks * count // max(1, size), count
