"""Votes that mean the same: different writings of one answer count together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

#: Most comparisons that are made among the votes on one problem; beyond them votes count as written.
COMPARISONS: Final = 256


def united(
    votes: Mapping[str, int], same: Callable[[str, str], bool], comparisons: int = COMPARISONS
) -> dict[str, str]:
    """For each answer the writing that it counts as: the most frequent one that means the same.

    Args:
        votes: answer -> how often it was given.
        same: whether two answers are one; asked at most `comparisons` times.

    Returns:
        Answer -> representative. It does not depend on the order of the votes.
    """
    heads: list[str] = []
    out: dict[str, str] = {}
    left = comparisons
    for answer in sorted(votes, key=lambda text: (-votes[text], len(text), text)):
        head = None
        for candidate in heads:
            if left == 0:
                break
            left -= 1
            if same(candidate, answer):
                head = candidate
                break
        out[answer] = answer if head is None else head
        if head is None:
            heads.append(answer)
    return out
