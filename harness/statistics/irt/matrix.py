"""The matrix of outcomes: configurations by items, with samples and passes in each cell.

A configuration is whatever answers: a model, a checkpoint of a run, a model under a budget of tokens.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from harness.contract.errors import DataError, counted
from harness.statistics.irt.twopl import Floats

#: configuration -> item -> (samples, passes). Passes need not be whole: partial scores count as their sum.
Outcomes = Mapping[str, Mapping[str, tuple[float, float]]]

#: Names of an error's message.
SHOWN = 3


@dataclass(frozen=True, slots=True)
class Matrix:
    """Counts of shape (configurations, items); a cell with 0 samples was not run."""

    configurations: tuple[str, ...]
    items: tuple[str, ...]
    samples: Floats
    passes: Floats

    def extreme(self) -> tuple[str, ...]:
        """Configurations that passed nothing, or everything."""
        n, k = self.samples.sum(1), self.passes.sum(1)
        return tuple(c for c, bad in zip(self.configurations, (k <= 0) | (k >= n), strict=True) if bad)


def matrix_of(outcomes: Outcomes) -> Matrix:
    """The matrix of all items that any configuration was asked.

    Raises:
        DataError: a cell whose counts are no counts.
    """
    items = tuple(dict.fromkeys(item for cells in outcomes.values() for item in cells))
    column = {item: i for i, item in enumerate(items)}
    samples = np.zeros((len(outcomes), len(items)))
    passes = np.zeros_like(samples)
    for row, (configuration, cells) in enumerate(outcomes.items()):
        for item, (n, k) in cells.items():
            if not (np.isfinite(n) and np.isfinite(k) and 0 <= k <= n):
                raise DataError(
                    f"{k!r} passes of {n!r} samples", where=f"configuration {configuration!r}, item {item!r}"
                )
            samples[row, column[item]], passes[row, column[item]] = n, k
    return Matrix(tuple(outcomes), items, samples, passes)


def require_fittable(matrix: Matrix) -> None:
    """Raise DataError for a matrix that no 2PL fit can say anything about."""
    where = "2PL fit"
    people, items = len(matrix.configurations), len(matrix.items)
    if people < 2 or items < 2:
        raise DataError(
            f"has {counted(people, 'configuration')} and {counted(items, 'item')}: what is ability and what "
            "is difficulty cannot be told apart",
            where=where, allowed="at least two configurations and two items",
            hint="add outcomes of other models or budgets on the same items",
        )  # fmt: skip
    for kind, names, sums in (
        ("configuration", matrix.configurations, matrix.samples.sum(1)),
        ("item", matrix.items, matrix.samples.sum(0)),
    ):
        empty = [name for name, total in zip(names, sums, strict=True) if total == 0]
        if empty:
            raise DataError(
                f"no samples of {kind} {_named(empty)}", where=where, hint=f"leave the {kind} out"
            )
    shares = matrix.passes.sum(1) / matrix.samples.sum(1)
    if np.ptp(shares) == 0 and shares[0] in (0, 1):
        raise DataError(
            f"every configuration passed {'nothing' if shares[0] == 0 else 'everything'}: nothing tells "
            "items or configurations apart",
            where=where, hint="add items that some configurations solve and others do not",
        )  # fmt: skip
    blocks = _blocks(matrix)
    if len(blocks) > 1:
        raise DataError(
            f"falls into {len(blocks)} blocks that share neither items nor configurations, such as "
            f"{_named(blocks[0])} and {_named(blocks[1])}: their scales cannot be compared",
            where=where, allowed="one connected block",
            hint="run a configuration of one block on items of the other, or fit each block by itself",
        )  # fmt: skip


def _blocks(matrix: Matrix) -> list[list[str]]:
    """The configurations of each connected block."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import connected_components

    people, items = matrix.samples.shape
    row, column = np.nonzero(matrix.samples)
    edges = csr_array((np.ones(len(row)), (row, column + people)), shape=(people + items, people + items))
    number, block = connected_components(edges, directed=False)
    names: list[list[str]] = [[] for _ in range(number)]
    for configuration, b in zip(matrix.configurations, block[:people].tolist(), strict=True):
        names[b].append(configuration)
    return [members for members in names if members]


def _named(names: Iterable[str]) -> str:
    given = list(names)
    shown = ", ".join(repr(name) for name in given[:SHOWN])
    return shown if len(given) <= SHOWN else f"{shown} and {len(given) - SHOWN} more"
