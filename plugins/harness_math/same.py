"""What comparisons share: three-valued logic, and matching without order.

None means that it cannot be told. Modules that compare structures take `same`, the comparison of
parts, so that each knows its own structure only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from harness_math.nodes import Node

T = TypeVar("T")
#: Whether a part of the gold and a part of the prediction are the same answer.
Same = Callable[[Node, Node], bool | None]


@dataclass(frozen=True, slots=True)
class Terms:
    """What the data says about the comparison."""

    tolerance: float | None = None
    unit: str | None = None


def every(results: Sequence[bool | None]) -> bool | None:
    """All true, or one false, or unknown."""
    if False in results:
        return False
    return None if None in results else True


def matched(ours: list[T], theirs: list[T], same: Callable[[T, T], bool | None]) -> bool | None:
    """Whether two collections are the same set: each has a partner among the others."""
    if len(ours) * len(theirs) > 2500:
        return None
    unknown = False
    for mine, yours, swapped in ((ours, theirs, False), (theirs, ours, True)):
        for a in mine:
            results = [same(b, a) if swapped else same(a, b) for b in yours]
            if True in results:
                continue
            if None not in results:
                return False
            unknown = True
    if not unknown and len(ours) != len(theirs) and not _repeats(ours, theirs, same):
        return False
    return None if unknown else True


def _repeats(ours: list[T], theirs: list[T], same: Callable[[T, T], bool | None]) -> bool:
    longer = ours if len(ours) > len(theirs) else theirs
    return any(same(a, b) for i, a in enumerate(longer) for b in longer[i + 1 :])
