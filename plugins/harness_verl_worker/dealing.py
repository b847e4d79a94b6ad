"""Rows of a step among verl's mini-batches, so that each has something to learn from.

verl divides by the tokens of a mini-batch. One of masked rows and padding alone has none, and its loss would
be no number.
"""

from __future__ import annotations

from collections.abc import Sequence


def dealt(counts: Sequence[bool], ranks: int, parts: int) -> list[int] | None:
    """The order of rows in which every mini-batch has about as many that count.

    Args:
        counts: whether each row has a token in the loss. The rows of one training process lie together, and
            stay with it: `ranks` equal shares, each of `parts` equal mini-batches.

    Returns:
        Indices of the rows in their new order, or None if there are fewer rows that count than mini-batches.
    """
    if sum(counts) < parts:
        return None
    share = len(counts) // ranks
    room = share // parts
    order: list[int] = []
    turn = 0
    for start in range(0, len(counts), share):
        rows = range(start, start + share)
        hands: list[list[int]] = [[] for _ in range(parts)]
        for row in (row for row in rows if counts[row]):
            # Who comes next over all processes, for one of them may have few rows that count.
            while len(hands[turn % parts]) == room:
                turn += 1
            hands[turn % parts].append(row)
            turn += 1
        rest = [row for row in rows if not counts[row]]
        for hand in hands:
            missing = room - len(hand)
            hand += rest[:missing]
            rest = rest[missing:]
            order += hand
    return order
