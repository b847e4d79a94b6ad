"""Ranks that admit ties: an entry is behind another only when a test can tell them apart.

Two entries of one column are separated when the permutation test paired by problem rejects, and,
where both have several seeds, Welch's t test over seeds does too: the first alone would take the luck
of one training run for a property of the recipe. P-values are corrected over all pairs (Holm 1979).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations

from harness import statistics
from harness.board.entry import Entry

LEVEL = 0.05


@dataclass(frozen=True, slots=True)
class Pair:
    """Two entries, better one first, and what the tests say."""

    better: int
    worse: int
    difference: float
    #: The larger of both tests' p-values, corrected over all pairs of the column.
    p: float
    #: The smallest difference that both tests would have seen 4 times in 5, before correction.
    detectable: float

    @property
    def separated(self) -> bool:
        return self.p < LEVEL


@dataclass(frozen=True, slots=True)
class Ranked:
    """An entry with its place."""

    entry: Entry
    #: 1 + the number of entries that are better and separated from it.
    rank: int
    #: Labels of entries that no test separates from it.
    ties: tuple[str, ...]
    #: What a table of these entries calls it.
    label: str


def rank(entries: Sequence[Entry]) -> tuple[list[Ranked], list[Pair]]:
    """Order one column's entries, best first, with ties.

    Raises:
        ValueError: the entries do not belong to one column, so their scores do not compare.
    """
    if len({e.column for e in entries}) > 1:
        raise ValueError("scores of different benchmarks, profiles or verifiers do not compare")
    order = sorted(entries, key=lambda e: (-e.score.value, e.label))
    pairs = _holm([_pair(order, i, j) for i, j in combinations(range(len(order)), 2)])
    ranked, names = [], labels(order)
    for i, entry in enumerate(order):
        ahead = sum(p.separated for p in pairs if p.worse == i)
        ties = [
            names[p.worse if p.better == i else p.better]
            for p in pairs
            if i in (p.better, p.worse) and not p.separated
        ]
        ranked.append(Ranked(entry, 1 + ahead, tuple(ties), names[i]))
    return ranked, pairs


def labels(entries: Sequence[Entry]) -> list[str]:
    """What tells entries apart: arm or recipe; with the trainer, or the recipe's hash, where that is not
    enough."""
    names = [entry.label for entry in entries]
    more: tuple[Callable[[Entry], str], ...] = (lambda e: e.recipe.trainer, lambda e: e.recipe.sha[:8])
    for word in more:
        called: dict[str, list[int]] = defaultdict(list)
        for i, name in enumerate(names):
            called[name].append(i)
        for members in called.values():
            if len({word(entries[i]) for i in members}) > 1:
                for i in members:
                    names[i] += f", {word(entries[i])}"
    return names


def _pair(order: Sequence[Entry], i: int, j: int) -> Pair:
    found = statistics.compare(order[j].counted(), order[i].counted())
    p = found.p
    a, b = order[i].seed_values(), order[j].seed_values()
    if len(a) > 1 and len(b) > 1:
        p = max(p, statistics.welch_p(a, b))
        return Pair(i, j, found.difference, p, max(found.detectable, statistics.detectable_over_seeds(a, b)))
    return Pair(i, j, found.difference, p, found.detectable)


def _holm(pairs: Sequence[Pair]) -> list[Pair]:
    """Holm's step-down correction: controls the chance of any false separation."""
    by_p = sorted(range(len(pairs)), key=lambda i: pairs[i].p)
    corrected, floor = [0.0] * len(pairs), 0.0
    for place, i in enumerate(by_p):
        floor = max(floor, min(1.0, pairs[i].p * (len(pairs) - place)))
        corrected[i] = floor
    return [
        Pair(p.better, p.worse, p.difference, q, p.detectable) for p, q in zip(pairs, corrected, strict=True)
    ]
