"""pass@k of an evaluation for any k, as `harness report --pass-at` prints it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import click

from harness.contract.errors import DataError
from harness.support.figures import percent

if TYPE_CHECKING:
    from harness.benchmarking.folder import EvaluationFolder
    from harness.statistics import PassAt


def passes_at(
    folder: EvaluationFolder, scoring: int | None, ks: Sequence[int]
) -> Mapping[str, Sequence[PassAt]]:
    """pass@k of each benchmark that has a score.

    Raises:
        DataError: a k exceeds the samples of some problem.
    """
    from harness.benchmarking.reading import read_evaluation
    from harness.statistics import pass_curve

    made = {}
    for result in read_evaluation(folder.folder, scoring).results:
        if result.refusal:
            continue
        counts = list(result.tallies.values())
        fewest = min(c.samples for c in counts)
        if max(ks) > fewest:
            raise DataError(
                f"pass@{max(ks)} takes {max(ks)} samples per problem",
                where=f"--pass-at, benchmark {result.benchmark!r}",
                allowed=f"1 to {fewest}, the samples of every problem",
                hint=f"harness eval --resume {folder.folder} --samples {max(ks)}"
                if folder.asked.engine
                else "",
            )
        made[result.benchmark] = pass_curve(
            [c.passes for c in counts], [c.samples for c in counts], sorted(set(ks))
        )
    return made


def show_passes(curves: Mapping[str, Sequence[PassAt]]) -> None:
    """Print them."""
    from harness.cli.evaluations import within
    from harness.cli.tables import Table, show

    rows = [
        [benchmark, str(point.k), percent(point.value), within(point.benchmark)]
        for benchmark, points in curves.items()
        for point in points
    ]
    if rows:
        click.echo()
        show(Table(["benchmark", "k", "pass@k", "benchmark interval"], rows))
