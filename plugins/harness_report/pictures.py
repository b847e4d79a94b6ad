"""Which pictures a study's page shows, from its findings."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from harness.board.pages import count
from harness.readout import Axis, Labels, Run
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


def learning_curves(found: Findings) -> list[LineChart]:
    """Score of the held-out set against rollouts, tokens and CPU time."""
    mark = None if found.options.threshold_strata or len(found.arms) < 2 else found.threshold
    return [
        line_chart(
            f"{found.heldout} against {label}",
            f"{label} spent",
            [
                Curves(a.name, colour(a.index), [r.curve(found.heldout, axis) for r in a.runs])
                for a in found.arms
            ],
            threshold=mark,
            unit=label,
        )
        for axis, label in AXES
    ]


def threshold_curve(found: Findings) -> LineChart | None:
    """The curve that the threshold is about, where that is not the whole held-out set."""
    strata = found.options.threshold_strata
    if not strata:
        return None
    return line_chart(
        f"strata {', '.join(strata)} of {found.heldout} against rollouts",
        "rollouts spent",
        [
            Curves(a.name, colour(a.index), [r.curve(found.heldout, "rollouts", strata) for r in a.runs])
            for a in found.arms
        ],
        threshold=found.threshold,
        unit="rollouts",
        width=WIDE,
    )


def difficulty_histogram(found: Findings) -> BarChart | None:
    """How many subjects had which pass rate at the first and at each arm's last measurement."""
    first = [run.labels[0] for arm in found.arms for run in arm.runs if run.labels]
    if not first:
        return None
    groups: list[tuple[str, int, Sequence[float]]] = [("before training", 0, _binned(first))]
    for arm in found.arms:
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


def teachable(found: Findings) -> list[Teachable]:
    """How much of the pool could teach, before training and at each arm's last measurement."""
    out = []
    groups = [("before training", 0, [r.labels[0] for a in found.arms for r in a.runs if r.labels])]
    for arm in found.arms:
        last = [r.labels[-1] for r in arm.runs if len(r.labels) > 1]
        groups.append((arm.name, colour(arm.index), last))
    for name, tint, measured in groups:
        if measured:
            bins = _binned(measured)
            out.append(Teachable(name, tint, bins[0], sum(bins[1:-1]), bins[-1]))
    return out


def _binned(measurements: Sequence[Labels]) -> list[float]:
    heights = [0.0] * len(BINS)
    for measured in measurements:
        for label in measured.labels:
            if label.samples:
                heights[bin_of(label.pass_rate)] += 1 / len(measurements)
    return heights


def score_strips(found: Findings) -> list[tuple[ArmFindings, Strip]]:
    """Pass rate of each held-out stratum at each evaluation, one strip an arm."""
    out = []
    for arm in found.best_first:
        runs = [run.on(found.heldout) for run in arm.runs]
        strata = sorted({s for evaluations in runs for e in evaluations for s in e.strata}, key=natural)
        if not strata:
            continue
        shortest = min(len(evaluations) for evaluations in runs)
        picked = sorted({round(i) for i in np.linspace(0, shortest - 1, min(COLUMNS, shortest))})
        columns = [(np.mean([r[i].spent.rollouts for r in runs]), "") for i in picked]
        named = [(float(x), f"after {count(float(x))} rollouts") for x, _ in columns]
        values = [[float(np.mean([r[i].score([s]) for r in runs])) for i in picked] for s in strata]
        out.append(
            (arm, strip(f"{arm.name}: pass rate by stratum", strata, named, values, "passed", "rollouts"))
        )
    return out


def training_strips(found: Findings) -> list[tuple[ArmFindings, Strip]]:
    """Where each arm's training rollouts went: share of groups by stratum over the run."""
    out = []
    subjects = sorted({s for a in found.arms for r in a.runs for d in r.drawn for s in d}, key=natural)
    if not 1 < len(subjects) <= 80:
        return []
    shares = {arm.name: _shares(arm.runs, subjects) for arm in found.arms}
    scale = max((float(np.nanmax(v)) for _, v in shares.values() if v.size), default=1.0) or 1.0
    for arm in found.best_first:
        ends, values = shares[arm.name]
        if not values.size:
            continue
        named = [(x, f"until {count(x)} rollouts") for x in ends]
        title = f"{arm.name}: share of training groups"
        out.append(
            (arm, strip(title, subjects, named, values.tolist(), "of groups", "rollouts", scale=scale))
        )
    return out


def _shares(runs: Sequence[Run], subjects: Sequence[str]) -> tuple[list[float], np.ndarray]:
    steps = min(len(run.drawn) for run in runs)
    if not steps:
        return [], np.zeros((0, 0))
    edges = np.unique(np.linspace(0, steps, min(COLUMNS, steps) + 1).round().astype(int))
    table = np.zeros((len(subjects), len(edges) - 1))
    row = {s: i for i, s in enumerate(subjects)}
    for run in runs:
        for column, (low, high) in enumerate(pairwise(edges)):
            for drawn in run.drawn[low:high]:
                for subject, groups in drawn.items():
                    table[row[subject], column] += groups
    totals = table.sum(0, keepdims=True)
    ends = [float(np.mean([run.steps[high - 1].spent.rollouts for run in runs])) for high in edges[1:]]
    return ends, np.divide(table, totals, out=np.zeros_like(table), where=totals > 0)
