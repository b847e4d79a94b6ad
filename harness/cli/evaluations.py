"""Evaluations as lines and tables on a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import click

from harness.cli.tables import Table, show
from harness.support.figures import percent

if TYPE_CHECKING:
    from harness.benchmarking.folder import EvaluationFolder
    from harness.benchmarking.metrics import Measured
    from harness.benchmarking.reading import Evaluated, Result
    from harness.statistics import Interval, Score


#: Exit code of a command that shows a score nearly all of whose samples have no answer, for one reason.
UNANSWERED: Final = 3


def show_evaluation(folder: EvaluationFolder, scoring: int | None = None, *, groups: bool = False) -> int:
    """Print an evaluation, and on standard error what is wrong with all of it.

    Returns:
        The command's exit code: 1 if a benchmark has no score, else `UNANSWERED` if nearly all samples
        of one have no answer for one reason, else 0.
    """
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
    placed = [r for r in evaluated.results if r.placement is not None]
    if placed:
        click.echo()
        show(Table(_PLACED, [_placed_row(r) for r in placed]))
        for line in dict.fromkeys(line for r in placed for line in _placed_notes(r)):
            click.echo(line)
    for result in evaluated.results:
        if result.refusal and result.placement is None:
            click.echo(f"no score for {result.benchmark}: {result.refusal}")
    return _exit_code(evaluated, warn(evaluated))


def warn(evaluated: Evaluated) -> list[str]:
    """Say on standard error which benchmarks have hardly any answers, and why; returns what was said."""
    from harness.benchmarking.silence import silences

    warnings = [str(silence) for silence in silences(evaluated)]
    for warning in warnings:
        click.echo(warning, err=True)
    return warnings


def _exit_code(evaluated: Evaluated, warnings: Sequence[str]) -> int:
    if any(result.refusal and result.placement is None for result in evaluated.results):
        return 1
    return UNANSWERED if warnings else 0


_COLUMNS = (
    "benchmark", "problems", "metric", "score", "rerun", "benchmark interval", "pass@k", "maj@k", "tokens",
    "truncated", "no answer", "gold in tail",
)  # fmt: skip


def _head(evaluated: Evaluated) -> list[str]:
    profile, opened = evaluated.profile, evaluated.opened
    verifiers = ", ".join(f"{name} {sha}" for name, sha in evaluated.verifiers.items())
    lines = [
        f"{evaluated.folder.folder}: {opened['model']['name']} "
        f"(weights {opened['model']['weights_sha'] or 'unknown'})",
        f"profile {profile.name} {profile.version}, hash {profile.hash}; verifiers {verifiers}",
    ]
    if evaluated.scoring:
        lines.append(f"scoring {evaluated.scoring}: judged again; scoring 0 is kept")
    elif evaluated.latest:
        lines.append(
            f"scoring 0: as judged while generating; what harness score has judged since, up to scoring "
            f"{evaluated.latest}, has no samples that came later until it is asked again"
        )
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


_PLACED = ("benchmark", "asked", "samples", "ability", "standard error", "expected over all")


def _placed_row(result: Result) -> list[str]:
    assert result.placement is not None
    told: dict[str, Any] = result.placement["scores"]
    return [
        result.benchmark,
        f"{told['asked']} of {told['problems']}",
        str(told["samples"]),
        f"{told['theta']:.2f}" if "theta" in told else "-",
        f"{told['se']:.2f}" if "se" in told else "-",
        percent(told["predicted"]) if "predicted" in told else "-",
    ]


def _placed_notes(result: Result) -> list[str]:
    """Why numbers of a placement are missing."""
    assert result.placement is not None
    told: dict[str, Any] = result.placement["scores"]
    notes = []
    if "theta" not in told:
        estimator = result.placement["adaptive"]["name"]
        notes.append(f"no ability: the estimator {estimator!r} gives none, only rates")
    if "predicted" not in told:
        notes.append(f"{result.benchmark}: no rate over all, because some problems have no label")
    return notes


def _show_groups(result: Result) -> None:
    assert result.line is not None
    rows = [
        [tag, str(row["problems"]), str(row["samples"]), percent(row["passes"] / row["samples"])]
        for tag, row in result.line["strata"].items()
    ]
    if rows:
        click.echo()
        show(Table(["group", "problems", "samples", "score"], rows, title=result.benchmark))


def show_metrics(measured: Measured) -> None:
    """Print what metrics of plugins say."""
    rows = [
        [benchmark, metric, name, f"{value:.4g}"]
        for benchmark, metrics in measured.items()
        for metric, numbers in metrics.items()
        for name, value in numbers.items()
    ]
    if rows:
        click.echo()
        show(Table(["benchmark", "metric", "number", "value"], rows))


def within(interval: Interval) -> str:
    return f"{100 * interval.low:.1f} to {percent(interval.high)}"


def as_values(folder: EvaluationFolder, scoring: int | None = None) -> tuple[dict[str, Any], int]:
    """An evaluation as plain values: scores with intervals, or why there are none; and the exit code, as
    `show_evaluation` gives it."""
    from dataclasses import asdict

    from harness.benchmarking.reading import read_evaluation

    evaluated = read_evaluation(folder.folder, scoring)
    profile = evaluated.profile
    rows: dict[str, Any] = {}
    for result in evaluated.results:
        if result.placement is not None:
            rows[result.benchmark] = {
                "placed": result.placement["scores"],
                "facts": result.placement["facts"],
            }
            continue
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
    warnings = warn(evaluated)
    values = {
        "folder": str(folder.folder),
        "model": evaluated.opened["model"],
        "profile": {"name": profile.name, "version": profile.version, "hash": profile.hash},
        "scoring": evaluated.scoring,
        "verifiers": dict(evaluated.verifiers),
        "benchmarks": rows,
        "warnings": warnings,
    }
    return values, _exit_code(evaluated, warnings)
