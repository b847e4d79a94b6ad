"""Which pictures a run's and a study's page show."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from harness_report.charts import (
    BINS,
    WIDE,
    BarChart,
    Curves,
    LineChart,
    Strip,
    bin_of,
    histogram,
    line_chart,
    strip,
)
from harness_report.pictures import colour, natural, stretches

from harness.readout import Evaluation, Run

#: More subjects than these are shown by how many have which pass rate.
SUBJECTS = 40

Counted = Mapping[str, tuple[int, int]]


def scores(runs: Sequence[tuple[str, Sequence[Run]]]) -> list[tuple[str, LineChart]]:
    """A held-out set's scores against rollouts, for each set; a line per name."""
    names = dict.fromkeys(h for _, of_name in runs for run in of_name if run.trains for h in run.heldouts)
    made = []
    for heldout in names:
        curves = [
            Curves(name, colour(i), [curve for run in of_name if (curve := run.curve(heldout, "rollouts"))])
            for i, (name, of_name) in enumerate(runs)
        ]
        if any(len(seed) > 1 for curve in curves for seed in curve.seeds):
            title = f"{heldout} against rollouts"
            made.append((heldout, line_chart(title, "rollouts spent", curves, unit="rollouts", width=WIDE)))
    return made


def training(run: Run) -> LineChart | None:
    """What the steps of training tell, in percent, against rollouts."""
    if len(run.steps) < 2:
        return None
    lines = [
        Curves(name, colour(i + 1), [[(s.spent.rollouts, getattr(s.metrics, field)) for s in run.steps]])
        for i, (name, field) in enumerate(
            (("pass rate", "pass_rate"), ("no signal", "zero_variance_groups"), ("truncated", "truncated"))
        )
    ]
    return line_chart("Steps of training", "rollouts spent", lines, unit="rollouts", width=WIDE)


def difficulty_map(steps: Mapping[tuple[str, int], Counted]) -> Strip | None:
    """Difficulty over time: the pass rate of each subject's samples of training, in windows of steps. Of many
    subjects it is how large a share has which pass rate."""
    if not steps:
        return None
    windows = list(_windows(list(steps.values())))
    subjects = sorted({subject for _, counted in windows for subject in counted}, key=natural)
    named = [(float(end), f"until step {end}") for end, _ in windows]
    if len(subjects) > SUBJECTS:
        columns = [[_rate(of_subject) for of_subject in counted.values()] for _, counted in windows]
        return _by_rate("Share of subjects by pass rate", columns, named, "steps of training")
    rates = [[_rate(counted.get(subject, (0, 0))) for _, counted in windows] for subject in subjects]
    return strip("Pass rate of each subject's samples", subjects, named, rates, "passed", "steps of training")


def measured(run: Run) -> Strip | None:
    """Pass rate of each subject at each measurement of the pool."""
    if not run.labels:
        return None
    tables = [
        {label.subject: label.pass_rate for label in labels.labels if label.known} for labels in run.labels
    ]
    subjects = sorted({subject for table in tables for subject in table}, key=natural)
    named = [(float(i), labels.stage or "the initial policy") for i, labels in enumerate(run.labels, 1)]
    if len(subjects) > SUBJECTS:
        columns = [list(table.values()) for table in tables]
        return _by_rate("Measured pass rates", columns, named, "measurements")
    rates = [[table.get(subject, float("nan")) for table in tables] for subject in subjects]
    return strip("Measured pass rates", subjects, named, rates, "passed", "measurements")


def problem_rates(evaluation: Evaluation) -> BarChart | None:
    """How many problems have which pass rate."""
    rates = [counts.rate for counts in evaluation.problems.values() if counts.samples]
    if not rates:
        return None
    heights = [0.0] * len(BINS)
    for rate in rates:
        heights[bin_of(rate)] += 1
    return histogram(
        f"{evaluation.heldout}: problems by pass rate",
        [(evaluation.heldout, 2, heights)],
        "pass rate of a problem",
        of="problems",
    )


def _windows(steps: Sequence[Counted]) -> Iterator[tuple[int, dict[str, tuple[int, int]]]]:
    """(number of the last step, subject -> (passes, samples)) of up to `COLUMNS` stretches of steps."""
    for low, high in stretches(len(steps)):
        counted: dict[str, tuple[int, int]] = {}
        for step in steps[low:high]:
            for subject, (passes, size) in step.items():
                known = counted.get(subject, (0, 0))
                counted[subject] = (known[0] + passes, known[1] + size)
        yield high, counted


def _by_rate(
    title: str, columns: Sequence[Sequence[float]], named: Sequence[tuple[float, str]], x_label: str
) -> Strip:
    """How large a share of each column's subjects has which pass rate; `columns` hold a rate per subject."""
    shares = np.zeros((len(BINS), len(columns)))
    for column, rates in enumerate(columns):
        for rate in rates:
            shares[bin_of(rate), column] += 1 / len(rates)
    return strip(title, BINS[::-1], named, shares[::-1].tolist(), "of subjects", x_label)


def _rate(counted: tuple[int, int]) -> float:
    passes, size = counted
    return passes / size if size else float("nan")
