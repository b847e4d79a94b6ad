"""Which pictures a study's page shows, from its findings."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from harness.readout import Axis, Factorial, Labels, Run
from harness.support import count
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
from harness_report.findings import ArmFindings, Findings

AXES: tuple[tuple[Axis, str], ...] = (
    ("rollouts", "rollouts"),
    ("tokens", "tokens"),
    ("cpu_seconds", "CPU seconds"),
)
#: Most columns of a strip: what a phone still shows.
COLUMNS = 16


def colour(index: int) -> int:
    """One of the style sheet's eight series colours."""
    return index % 8


def natural(name: str) -> list[tuple[int, int | str]]:
    """Sort key under which stratum 9 comes before stratum 10."""
    return [(0, int(p)) if p.isdigit() else (1, p) for p in re.split(r"(\d+)", name) if p]


def stretches(steps: int) -> list[tuple[int, int]]:
    """So many steps as up to `COLUMNS` stretches (first, one past the last), as equal as can be."""
    edges = np.unique(np.linspace(0, steps, min(COLUMNS, steps) + 1).round().astype(int))
    return list(pairwise(edges.tolist()))


def learning_curves(findings: Findings) -> list[LineChart]:
    """Score of the held-out set against rollouts, tokens and CPU time."""
    mark = None if findings.options.threshold_strata or len(findings.arms) < 2 else findings.threshold
    return [
        line_chart(
            f"{findings.heldout} against {label}",
            f"{label} spent",
            [
                Curves(a.name, colour(a.index), [r.curve(findings.heldout, axis) for r in a.runs])
                for a in findings.arms
            ],
            threshold=mark,
            unit=label,
        )
        for axis, label in AXES
    ]


def threshold_curve(findings: Findings) -> LineChart | None:
    """The curve that the threshold is about, if that is not the whole held-out set."""
    strata = findings.options.threshold_strata
    if not strata:
        return None
    axis = findings.options.axis
    label = dict(AXES)[axis]
    return line_chart(
        f"strata {', '.join(strata)} of {findings.heldout} against {label}",
        f"{label} spent",
        [
            Curves(a.name, colour(a.index), [r.curve(findings.heldout, axis, strata) for r in a.runs])
            for a in findings.arms
        ],
        threshold=findings.threshold,
        unit=label,
        width=WIDE,
    )


def difficulty_histogram(findings: Findings) -> BarChart | None:
    """How many subjects had which pass rate at the first and at each arm's last measurement."""
    first = [run.labels[0] for arm in findings.arms for run in arm.runs if run.labels]
    if not first:
        return None
    groups: list[tuple[str, int, Sequence[float]]] = [("before training", 0, _binned(first))]
    for arm in findings.arms:
        last = [run.labels[-1] for run in arm.runs if len(run.labels) > 1]
        if last:
            groups.append((f"{arm.name}, last measurement", colour(arm.index), _binned(last)))
    return histogram("Difficulty of the pool", groups, "measured pass rate")


@dataclass(frozen=True, slots=True)
class Teachable:
    """Subjects of the pool by what they can teach; numbers are means over runs."""

    name: str
    colour: int
    never: float
    mixed: float
    always: float


def teachable(findings: Findings) -> list[Teachable]:
    """How much of the pool could teach, before training and at each arm's last measurement."""
    out = []
    groups = [("before training", 0, [r.labels[0] for a in findings.arms for r in a.runs if r.labels])]
    for arm in findings.arms:
        last = [r.labels[-1] for r in arm.runs if len(r.labels) > 1]
        groups.append((arm.name, colour(arm.index), last))
    for name, tint, measured in groups:
        if measured:
            bins = _binned(measured)
            out.append(Teachable(name, tint, bins[0], sum(bins[1:-1]), bins[-1]))
    return out


def squares(experiment: Factorial) -> list[LineChart]:
    """Each outcome of a 2 x 2: a line per level of the second factor, from without to with the first."""
    first, second = experiment.factors
    out = []
    for outcome in experiment.outcomes:
        y00, y10, y01, y11 = [cell.values for cell in outcome.cells]
        lines = [
            Curves(name, tint, [[(0.0, a), (1.0, b)] for a, b in zip(low, high, strict=True)])
            for name, tint, low, high in ((f"without {second}", 0, y00, y10), (f"with {second}", 1, y01, y11))
        ]
        chart = line_chart(outcome.name, f"0: without {first}, 1: with it", lines, unit=first)
        out.append(replace(chart, x_ticks=[chart.x_ticks[0], chart.x_ticks[-1]]))
    return out


def _binned(measurements: Sequence[Labels]) -> list[float]:
    heights = [0.0] * len(BINS)
    for measured in measurements:
        for label in measured.labels:
            if label.samples:
                heights[bin_of(label.pass_rate)] += 1 / len(measurements)
    return heights


def score_strips(findings: Findings) -> list[tuple[ArmFindings, Strip]]:
    """Pass rate of each held-out stratum at each evaluation that has a score, one strip per arm."""
    out = []
    for arm in findings.best_first:
        runs = [run.on(findings.heldout) for run in arm.runs]
        strata = sorted({s for evaluations in runs for e in evaluations for s in e.strata}, key=natural)
        shortest = min(len(evaluations) for evaluations in runs)
        scored = [i for i in range(shortest) if any(evaluations[i].judged for evaluations in runs)]
        if not strata or not scored:
            continue
        places = np.linspace(0, len(scored) - 1, min(COLUMNS, len(scored)))
        picked = [scored[i] for i in sorted({round(place) for place in places})]
        columns = [(np.mean([r[i].spent.rollouts for r in runs]), "") for i in picked]
        named = [(float(x), f"after {count(float(x))} rollouts") for x, _ in columns]
        values = [
            [float(np.mean([r[i].score([s]) for r in runs if r[i].judged])) for i in picked] for s in strata
        ]
        out.append(
            (arm, strip(f"{arm.name}: pass rate by stratum", strata, named, values, "passed", "rollouts"))
        )
    return out


def training_strips(findings: Findings) -> list[tuple[ArmFindings, Strip]]:
    """Where each arm's training rollouts went: share of fresh samples by stratum over the run."""
    out = []
    subjects = sorted({s for a in findings.arms for r in a.runs for d in r.drawn for s in d}, key=natural)
    if not 1 < len(subjects) <= 80:
        return []
    shares = {arm.name: _shares(arm.runs, subjects) for arm in findings.arms}
    scale = max((float(np.nanmax(v)) for _, v in shares.values() if v.size), default=1.0) or 1.0
    for arm in findings.best_first:
        ends, values = shares[arm.name]
        if not values.size:
            continue
        named = [(x, f"until {count(x)} rollouts") for x in ends]
        title = f"{arm.name}: share of training samples"
        out.append(
            (arm, strip(title, subjects, named, values.tolist(), "of samples", "rollouts", scale=scale))
        )
    return out


def _shares(runs: Sequence[Run], subjects: Sequence[str]) -> tuple[list[float], np.ndarray]:
    steps = min(len(run.drawn) for run in runs)
    if not steps:
        return [], np.zeros((0, 0))
    columns = stretches(steps)
    table = np.zeros((len(subjects), len(columns)))
    row = {s: i for i, s in enumerate(subjects)}
    for run in runs:
        for column, (low, high) in enumerate(columns):
            for drawn in run.drawn[low:high]:
                for subject, samples in drawn.items():
                    table[row[subject], column] += samples
    totals = table.sum(0, keepdims=True)
    ends = [float(np.mean([run.steps[high - 1].spent.rollouts for run in runs])) for _, high in columns]
    return ends, np.divide(table, totals, out=np.zeros_like(table), where=totals > 0)
