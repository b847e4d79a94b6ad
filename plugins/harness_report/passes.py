"""pass@k of a study's arms before and after training, for k up to the samples per problem: picture and
table."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from harness.contract import DataError
from harness.readout import Evaluation, Run
from harness.statistics import Interval, over_problems, pass_curve, spread
from harness.support import percent
from harness_report.charts import (
    BOTTOM,
    HEIGHT,
    LEFT,
    RIGHT,
    TOP,
    WIDE,
    Dot,
    Line,
    LineChart,
    Scale,
    Tick,
    nice_ticks,
    path,
)
from harness_report.findings import ArmFindings, Findings


@dataclass(frozen=True, slots=True)
class Point:
    """pass@k of an arm at one moment, mean over seeds."""

    k: int
    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Passes:
    """One arm's curves; `before` is empty if nothing was evaluated before training."""

    arm: ArmFindings
    before: Sequence[Point]
    after: Sequence[Point]
    #: after - before for the table's k, paired by problem (one seed) or by seed (several).
    gains: Sequence[Point]


@dataclass(frozen=True, slots=True)
class PassPicture:
    """What the page shows of pass@k."""

    chart: LineChart
    #: The k of the table.
    ks: Sequence[int]
    arms: Sequence[Passes]
    samples: int
    seeds: bool


def pass_picture(findings: Findings) -> PassPicture | None:
    """Curves and table on the held-out set that the page is about; None if its problems have one sample.

    Raises:
        DataError: an option names a k that exceeds the samples of some problem.
    """
    finals = [run.on(findings.heldout)[-1] for arm in findings.arms for run in arm.runs]
    samples = min(c.samples for final in finals for c in final.problems.values())
    if samples < 2:
        return None
    ks = list(findings.options.pass_at) or _few(samples)
    if max(ks) > samples:
        raise DataError(
            f"pass@{max(ks)} takes {max(ks)} samples per problem",
            where=f"pass_at of the reporter, held-out set {findings.heldout!r}",
            allowed=f"1 to {samples}",
        )
    arms = [_passes(arm, findings.heldout, ks) for arm in findings.arms]
    return PassPicture(_chart(findings, arms), ks, arms, samples, any(len(a.arm.runs) > 1 for a in arms))


def _few(samples: int) -> list[int]:
    """Powers of 4 and the last: what a table has room for."""
    return sorted({*(4**i for i in range(12) if 4**i <= samples), samples})


def _passes(arm: ArmFindings, heldout: str, ks: Sequence[int]) -> Passes:
    afters = [run.on(heldout)[-1] for run in arm.runs]
    befores = [e for run in arm.runs if (e := _before(run, heldout)) is not None]
    complete = len(befores) == len(afters)
    return Passes(
        arm,
        _points(befores) if complete else [],
        _points(afters),
        _gains(befores, afters, ks) if complete else [],
    )


def _before(run: Run, heldout: str) -> Evaluation | None:
    first = run.on(heldout)[0]
    return first if first.name == "before" and first.problems and first.judged else None


def _curve(evaluation: Evaluation, ks: Sequence[int] | None) -> list[tuple[int, dict[str, float]]]:
    """(k, pass@k by problem)."""
    names, counts = zip(*sorted(evaluation.problems.items()), strict=True)
    curve = pass_curve([c.passes for c in counts], [c.samples for c in counts], ks)
    return [(point.k, dict(zip(names, point.problems.tolist(), strict=True))) for point in curve]


def _points(evaluations: Sequence[Evaluation]) -> list[Point]:
    curves = [_curve(e, None) for e in evaluations]
    shared = min((len(curve) for curve in curves), default=0)
    return [_point([dict(curve[i][1]) for curve in curves], curves[0][i][0]) for i in range(shared)]


def _point(seeds: Sequence[dict[str, float]], k: int) -> Point:
    """Over seeds if there are several, else over problems."""
    if len(seeds) > 1:
        summary = spread([float(np.mean(list(values.values()))) for values in seeds])
        assert summary.interval is not None
        return _clipped(k, summary.mean, summary.interval)
    values = list(seeds[0].values())
    return _clipped(k, float(np.mean(values)), over_problems(values))


def _clipped(k: int, value: float, interval: Interval) -> Point:
    return Point(k, value, max(interval.low, 0.0), min(interval.high, 1.0))


def _gains(befores: Sequence[Evaluation], afters: Sequence[Evaluation], ks: Sequence[int]) -> list[Point]:
    made = []
    pairs = [(_curve(b, ks), _curve(a, ks)) for b, a in zip(befores, afters, strict=True)]
    for i, k in enumerate(ks):
        rows = [[after[i][1][p] - before[i][1][p] for p in after[i][1]] for before, after in pairs]
        values = [float(np.mean(row)) for row in rows] if len(rows) > 1 else rows[0]
        summary = spread(values)
        low, high = (summary.interval.low, summary.interval.high) if summary.interval else (-1.0, 1.0)
        made.append(Point(k, summary.mean, max(low, -1.0), min(high, 1.0)))
    return made


def _chart(findings: Findings, arms: Sequence[Passes]) -> LineChart:
    points = [p for a in arms for p in (*a.before, *a.after)]
    most = max(p.k for p in points)
    low, high = max(0.0, min(p.low for p in points) - 0.02), min(1.0, max(p.high for p in points) + 0.02)
    x = Scale(0.0, math.log2(most), LEFT, WIDE - RIGHT)
    y = Scale(low, max(high, low + 0.05), HEIGHT - BOTTOM, TOP)
    lines = [
        _line(a, moment, x.at, y.at) for a in arms for moment in ("before", "after") if getattr(a, moment)
    ]
    step = max(1, math.ceil(math.log2(most) / 10))
    return LineChart(
        f"pass@k on {findings.heldout} for k = 1 to {most}",
        "k (samples per problem)",
        lines,
        [Tick(x.at(float(i)), str(2**i)) for i in range(0, math.floor(math.log2(most)) + 1, step)],
        [Tick(y.at(v), f"{100 * v:.0f}") for v in nice_ticks(y.low, y.high, 5)],
        width=WIDE,
    )


def _line(passes: Passes, moment: str, x: Callable[[float], float], y: Callable[[float], float]) -> Line:
    points: Sequence[Point] = getattr(passes, moment)
    at = [x(math.log2(p.k)) for p in points]
    upper = [(a, y(p.high)) for a, p in zip(at, points, strict=True)]
    lower = [(a, y(p.low)) for a, p in zip(at, points, strict=True)]
    name = f"{passes.arm.name}, {moment}"
    dots = [
        Dot(
            a, y(p.value), f"{name}, pass@{p.k}: {percent(p.value)} ({100 * p.low:.1f} to {100 * p.high:.1f})"
        )
        for a, p in zip(at, points, strict=True)
    ]
    return Line(
        name,
        passes.arm.index % 8,
        path([(a, y(p.value)) for a, p in zip(at, points, strict=True)]),
        [],
        dots,
        band=path([*upper, *reversed(lower)]) + "Z",
        dashed=moment == "before",
    )


def _within(point: Point) -> str:
    return f"{100 * point.low:.1f} to {100 * point.high:.1f}"
