"""What a suite has come to: scores with intervals, and every two models held against each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from harness.benchmarking.comparing import counted, pair_results
from harness.benchmarking.reading import Evaluated, Result, read_evaluation
from harness.benchmarking.suite import Cell
from harness.contract.errors import HarnessError, LedgerError
from harness.statistics import Comparison, Score, score_counts
from harness.statistics.multiple import holm


@dataclass(frozen=True, slots=True)
class Row:
    """One model's score of a benchmark under a profile; no score, and why not."""

    model: str
    folder: Path | None
    score: Score | None
    #: Completion tokens per sample.
    tokens: float = 0.0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class PairOfModels:
    """Two models, the better one first, paired by problem."""

    better: str
    worse: str
    comparison: Comparison
    #: Corrected over all pairs of the group (Holm).
    p: float


@dataclass(frozen=True, slots=True)
class Group:
    """All models on one benchmark under one profile."""

    profile: str
    benchmark: str
    rows: Sequence[Row]
    pairs: Sequence[PairOfModels]
    #: Why two scores do not compare.
    notes: Sequence[str] = ()


def summary(cells: Sequence[Cell]) -> Iterator[Group]:
    """A group for each benchmark and profile, in the suite's order; models by score, best first."""
    for profile, benchmark in dict.fromkeys((cell.profile, cell.benchmark) for cell in cells):
        mine = [cell for cell in cells if (cell.profile, cell.benchmark) == (profile, benchmark)]
        read = [(cell, *_read(cell)) for cell in mine]
        scored = [(cell, of, row) for cell, of, row in read if of is not None and row.score is not None]
        scored.sort(key=lambda one: -one[2].score.value if one[2].score else 0.0)
        pairs: list[PairOfModels] = []
        notes: list[str] = []
        for (one, a, _), (two, b, _) in combinations(scored, 2):
            try:
                ((_, comparison),) = pair_results(b, a, benchmark)
            except LedgerError as error:
                notes.append(f"{one.model} and {two.model}: {error.what}")
                continue
            pairs.append(PairOfModels(one.model, two.model, comparison, comparison.p))
        corrected = holm([pair.p for pair in pairs])
        pairs = [
            PairOfModels(pair.better, pair.worse, pair.comparison, p)
            for pair, p in zip(pairs, corrected, strict=True)
        ]
        without = [row for _, _, row in read if row.score is None]
        yield Group(profile, benchmark, [row for _, _, row in scored] + without, pairs, notes)


def _read(cell: Cell) -> tuple[Evaluated | None, Row]:
    if cell.folder is None:
        return None, Row(cell.model, None, None, reason=cell.fault.splitlines()[0])
    folder = cell.folder.folder
    try:
        evaluated = read_evaluation(folder)
    except HarnessError as error:
        return None, Row(cell.model, folder, None, reason=error.what)
    result: Result = evaluated.results[0]
    if result.refusal or result.line is None:
        return None, Row(cell.model, folder, None, reason=result.refusal)
    counts = list(counted(result).values())
    score = score_counts([passes for passes, _ in counts], [samples for _, samples in counts])
    return evaluated, Row(cell.model, folder, score, float(result.line["scores"]["tokens"]))
