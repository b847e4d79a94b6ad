"""A step's batch as mini-batches, an update each: the one rule of all trainers of this project."""

from __future__ import annotations

import itertools
from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import TypeVar

from harness.contract import Group

T = TypeVar("T")


def parted(batch: Sequence[T], parts: int, size: Callable[[T], int] = lambda _: 1) -> list[Sequence[T]]:
    """A batch in its order as so many mini-batches, as equal as can be by the sizes of its members; none is
    empty."""
    parts = min(parts, len(batch))
    before = list(itertools.accumulate(map(size, batch), initial=0))
    edges = [0]
    for i in range(1, parts):
        even = bisect_right(before, before[-1] * i // parts) - 1
        edges.append(min(max(even, edges[-1] + 1), len(batch) - parts + i))
    return [batch[start:end] for start, end in itertools.pairwise([*edges, len(batch)])]


def mini_batched(groups: Sequence[Group], parts: int) -> list[Sequence[Group]]:
    """A step's groups as so many mini-batches of about as many samples each. The session has spread replayed
    groups evenly over the batch, so that each holds its share of them."""
    return parted(groups, parts, lambda group: group.size)
