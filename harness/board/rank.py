"""Ranks that admit ties: an entry is behind another only when a test can tell them apart.

Two entries of one column are separated when the permutation test paired by problem rejects, and,
if both have several seeds, Welch's t test over seeds does too: the first alone would take the luck
of one training run for a property of the recipe. P-values are corrected over all pairs (Holm 1979).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final

import numpy as np

from harness import statistics
from harness.board.entry import Entry
from harness.statistics.all_pairs import separate
from harness.statistics.multiple import holm

LEVEL: Final = 0.05
#: Entries of a table up to which every pair has a permutation test of its own.
FEW: Final = 20


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
    #: Labels of entries that no test separates from it; in a large table the nearest.
    ties: tuple[str, ...]
    #: What a table of these entries calls it.
    label: str
    #: Where it stood among the entries that were ranked.
    index: int
    #: How many entries no test separates from it.
    tied: int

    @property
    def sentence(self) -> str:
        """What its rank does and does not say."""
        if not self.tied:
            return "A test separates it from every other entry of its table."
        more = self.tied - len(self.ties)
        named = ", ".join(self.ties) + (f" and {more:,} more" if more else "")
        return f"No test separates it from {named}."


def rank(entries: Sequence[Entry], *, drawn: bool = True) -> tuple[list[Ranked], list[Pair]]:
    """Order one column's entries, best first, with ties.

    Up to `FEW` entries are compared as two entries are, by drawn sign flips, and all pairs are returned. More
    are held against each other by the test's normal form (`harness.statistics.all_pairs`), and only pairs of
    neighbours are returned.

    Args:
        drawn: False for the normal form whatever the number, as on a board of very many entries.

    Raises:
        ValueError: the entries do not belong to one column, so their scores do not compare.
    """
    if len({e.column for e in entries}) > 1:
        raise ValueError("scores of different benchmarks, profiles or verifiers do not compare")
    places = sorted(range(len(entries)), key=lambda i: (-entries[i].score.value, entries[i].label))
    order = [entries[i] for i in places]
    if len(order) > (FEW if drawn else 1):
        return _rank_many(order, places)
    pairs = _holm([_pair(order, i, j) for i, j in combinations(range(len(order)), 2)])
    ranked, names = [], labels(order)
    for i, entry in enumerate(order):
        ahead = sum(p.separated for p in pairs if p.worse == i)
        ties = [
            names[p.worse if p.better == i else p.better]
            for p in pairs
            if i in (p.better, p.worse) and not p.separated
        ]
        ranked.append(Ranked(entry, 1 + ahead, tuple(ties), names[i], places[i], len(ties)))
    return ranked, pairs


def _rank_many(order: Sequence[Entry], places: Sequence[int]) -> tuple[list[Ranked], list[Pair]]:
    problems = sorted(order[0].problems)
    counts = np.array([[entry.problems[p] for p in problems] for entry in order], dtype=float)
    rates = counts[:, :, 0] / counts[:, :, 1]
    samples = float(counts[:, :, 1].sum(axis=1).min())
    made = separate(rates, samples, [entry.seed_values() for entry in order], level=LEVEL)
    names = labels(order)
    ranked = [
        Ranked(
            entry, 1 + int(made.ahead[i]), tuple(names[j] for j in made.nearest[i]), names[i], places[i],
            int(made.tied[i]),
        )
        for i, entry in enumerate(order)
    ]  # fmt: skip
    means = rates.mean(axis=1)
    pairs = [
        Pair(
            i, i + 1, float(means[i] - means[i + 1]), float(made.p[i]),
            max(float(made.detectable[i]), _detectable_over_seeds(order[i], order[i + 1])),
        )
        for i in range(len(order) - 1)
    ]  # fmt: skip
    return ranked, pairs


def _detectable_over_seeds(a: Entry, b: Entry) -> float:
    """0 where seeds decide nothing, because one of the two has a single one."""
    if min(len(a.seeds), len(b.seeds)) < 2:
        return 0.0
    return statistics.detectable_over_seeds(a.seed_values(), b.seed_values())


def labels(entries: Sequence[Entry]) -> list[str]:
    """What tells entries apart: arm or recipe; with the trainer, or the recipe's hash, if that is not
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
    comparison = statistics.compare(order[j].counted(), order[i].counted())
    p = comparison.p
    a, b = order[i].seed_values(), order[j].seed_values()
    if len(a) > 1 and len(b) > 1:
        p = max(p, statistics.welch_p(a, b))
        return Pair(
            i, j, comparison.difference, p, max(comparison.detectable, statistics.detectable_over_seeds(a, b))
        )
    return Pair(i, j, comparison.difference, p, comparison.detectable)


def _holm(pairs: Sequence[Pair]) -> list[Pair]:
    """Holm's step-down correction: controls the chance of any false separation."""
    corrected = holm([pair.p for pair in pairs])
    return [
        Pair(p.better, p.worse, p.difference, q, p.detectable) for p, q in zip(pairs, corrected, strict=True)
    ]
