"""Evaluations as lines and tables on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from harness.cli.tables import Table, show

if TYPE_CHECKING:
    from harness.benchmarking.folder import EvaluationFolder
    from harness.benchmarking.metrics import Measured
    from harness.benchmarking.reading import Evaluated, Result
    from harness.statistics import Interval, Score


def show_evaluation(folder: EvaluationFolder, scoring: int | None = None, *, groups: bool = False) -> bool:
    """Print an evaluation; returns whether every benchmark has a score."""
    from harness.benchmarking.reading import read_evaluation

    evaluated = read_evaluation(folder.folder, scoring)
    for line in _head(evaluated):
        click.echo(line)
    good = [r for r in evaluated.results if not r.refusal]
    if good:
        click.echo()
        show(Table(_COLUMNS, [_row(r) for r in good]))
        if groups:
            for result in good:
                _show_groups(result)
    for result in evaluated.results:
        if result.refusal:
            click.echo(f"no score for {result.benchmark}: {result.refusal}")
    return len(good) == len(evaluated.results)


_COLUMNS = (
    "benchmark", "problems", "metric", "score", "rerun", "benchmark interval", "pass@k", "maj@k", "tokens",
    "truncated", "no answer", "gold in tail",
)  # fmt: skip


def _head(evaluated: Evaluated) -> list[str]:
    profile, opened = evaluated.profile, evaluated.opened
    verifiers = ", ".join(f"{name} {sha}" for name, sha in evaluated.verifiers.items())
    lines = [
        f"{evaluated.folder.folder}: {opened['model']['name']} (weights {opened['model']['weights_sha']})",
        f"profile {profile.name} {profile.version}, hash {profile.hash}; verifiers {verifiers}",
    ]
    if evaluated.scoring:
        lines.append(f"scoring {evaluated.scoring}: judged again; scoring 0 is kept")
    return lines


def score_of(result: Result) -> Score:
    """The score of a complete result."""
    from harness.statistics import score_counts

    counts = list(result.tallies.values())
    return score_counts([c.passes for c in counts], [c.samples for c in counts])


def _row(result: Result) -> list[str]:
    assert result.line is not None
    numbers: dict[str, Any] = result.line["scores"]
    score = score_of(result)
    fewest = min(t.samples for t in result.tallies.values())
    passes = [(int(k[5:]), v) for k, v in numbers.items() if k.startswith("pass@") and k != "pass@1"]
    most = max(passes, default=None)
    return [
        result.benchmark,
        str(result.problems),
        f"avg@{fewest}",
        percent(score.value),
        within(score.rerun),
        within(score.benchmark),
        "-" if most is None else f"{percent(most[1])} @{most[0]}",
        percent(numbers[f"maj@{fewest}"]) if f"maj@{fewest}" in numbers else "-",
        f"{numbers['tokens']:.0f}",
        percent(numbers["truncated"]),
        percent(numbers["no_answer"]),
        percent(numbers["tail_not_extracted"]),
    ]


def _show_groups(result: Result) -> None:
    assert result.line is not None
    rows = [
        [tag, str(row["problems"]), str(row["samples"]), percent(row["passes"] / row["samples"])]
        for tag, row in result.line["strata"].items()
    ]
    if rows:
        click.echo()
        show(Table(["group", "problems", "samples", "score"], rows, title=result.benchmark))


def show_metrics(found: Measured) -> None:
    """Print what metrics of plugins say."""
    rows = [
        [benchmark, metric, name, f"{value:.4g}"]
        for benchmark, metrics in found.items()
        for metric, numbers in metrics.items()
        for name, value in numbers.items()
    ]
    if rows:
        click.echo()
        show(Table(["benchmark", "metric", "number", "value"], rows))


def percent(share: float) -> str:
    return f"{100 * share:.1f}%"


def within(interval: Interval) -> str:
    return f"{100 * interval.low:.1f} to {100 * interval.high:.1f}%"


def as_values(folder: EvaluationFolder, scoring: int | None = None) -> dict[str, Any]:
    """An evaluation as plain values: scores with intervals, or why there are none."""
    from dataclasses import asdict

    from harness.benchmarking.reading import read_evaluation

    evaluated = read_evaluation(folder.folder, scoring)
    profile = evaluated.profile
    rows: dict[str, Any] = {}
    for result in evaluated.results:
        if result.refusal:
            rows[result.benchmark] = {"refused": result.refusal}
            continue
        assert result.line is not None
        score = score_of(result)
        rows[result.benchmark] = {
            "problems": result.problems,
            "samples": score.samples,
            "scores": result.line["scores"],
            "rerun": asdict(score.rerun),
            "benchmark": asdict(score.benchmark),
            "groups": result.line["strata"],
            "facts": result.line["facts"],
        }
    return {
        "folder": str(folder.folder),
        "model": evaluated.opened["model"],
        "profile": {"name": profile.name, "version": profile.version, "hash": profile.hash},
        "scoring": evaluated.scoring,
        "verifiers": dict(evaluated.verifiers),
        "benchmarks": rows,
    }
