"""Geometry of the pictures: numbers in, coordinates and path strings out. Drawing is the templates'."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.support import percent

#: Chart size in SVG units, which are pixels at the width of a phone.
WIDTH, HEIGHT = 360, 250
#: Width of pictures that stand two in a row; their text grows on a phone, by the style sheet.
WIDE = 520
LEFT, RIGHT, TOP, BOTTOM = 44, 10, 10, 38


#: A threshold farther than this from every score is left out, since it would flatten the curves.
NEAR = 0.15


@dataclass(frozen=True, slots=True)
class Tick:
    at: float
    label: str


@dataclass(frozen=True, slots=True)
class Dot:
    x: float
    y: float
    title: str


@dataclass(frozen=True, slots=True)
class Line:
    """One arm's line: its mean over seeds, thin lines of the seeds, dots with their words."""

    name: str
    colour: int
    mean: str
    seeds: Sequence[str]
    dots: Sequence[Dot]
    #: Outline of the intervals around it; empty without them.
    band: str = ""
    dashed: bool = False


@dataclass(frozen=True, slots=True)
class LineChart:
    title: str
    x_label: str
    lines: Sequence[Line]
    x_ticks: Sequence[Tick]
    y_ticks: Sequence[Tick]
    #: Height of the threshold line, None without one.
    threshold: float | None = None
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    top: int = TOP
    bottom: int = HEIGHT - BOTTOM

    @property
    def right(self) -> int:
        return self.width - RIGHT


@dataclass(frozen=True, slots=True)
class Scale:
    """Data from `low` to `high` on pixels from `start` to `end`."""

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return round(self.start + share * (self.end - self.start), 1)


@dataclass(frozen=True, slots=True)
class Curves:
    """One arm's (cost, score) curves, one per seed."""

    name: str
    colour: int
    seeds: Sequence[Sequence[tuple[float, float]]]


def nice_ticks(low: float, high: float, count: int = 4) -> list[float]:
    """Round numbers from `low` to `high`, about `count` of them."""
    if not high - low > 1e-300:  # nothing, or less than a float can divide
        return [low]
    raw = (high - low) / count
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    # To the step's own digits: ten decimals would move the ticks of a tiny axis off it.
    digits = max(0, 2 - math.floor(math.log10(step)))
    ticks = (round(i * step, digits) for i in range(first, math.floor(high / step + 1e-9) + 1))
    return [min(max(tick, low), high) for tick in ticks]


def short(number: float) -> str:
    """A number for an axis: 40k, 1.5M, 0.5."""
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(number) >= size:
            return f"{number / size:.3g}{unit}"
    return f"{number:.3g}"


def line_chart(
    title: str,
    x_label: str,
    curves: Sequence[Curves],
    *,
    threshold: float | None = None,
    unit: str = "",
    width: int = WIDTH,
) -> LineChart:
    """Learning curves: score in percent against a cost."""
    points = [p for c in curves for seed in c.seeds for p in seed]
    xs, ys = [p[0] for p in points] or [0.0, 1.0], [p[1] for p in points] or [0.0, 1.0]
    if threshold is not None and not min(ys) - NEAR <= threshold <= max(ys) + NEAR:
        threshold = None
    if threshold is not None:
        ys = [*ys, threshold]
    low, high = max(0.0, min(ys) - 0.03), min(1.0, max(ys) + 0.03)
    x = Scale(0.0, max(max(xs), 1e-9), LEFT, width - RIGHT)
    y = Scale(low, max(high, low + 0.05), HEIGHT - BOTTOM, TOP)
    lines = [_line(c, x, y, unit) for c in curves]
    return LineChart(
        title,
        x_label,
        lines,
        [Tick(x.at(v), short(v)) for v in nice_ticks(0.0, x.high)],
        [Tick(y.at(v), f"{100 * v:.0f}") for v in nice_ticks(y.low, y.high, 5)],
        None if threshold is None else y.at(threshold),
        width=width,
    )


def _line(curves: Curves, x: Scale, y: Scale, unit: str) -> Line:
    seeds = [seed for seed in curves.seeds if seed]
    grid, mean, low, high = mean_curve(seeds)
    many = len(seeds) > 1
    dots = [
        Dot(
            x.at(g),
            y.at(m),
            f"{curves.name}, {g:,.0f} {unit}: {percent(m)}"
            + (f" ({100 * a:.1f} to {100 * b:.1f} over {len(seeds)} seeds)" if many else ""),
        )
        for g, m, a, b in zip(grid, mean, low, high, strict=True)
    ]
    return Line(
        curves.name,
        curves.colour,
        path([(x.at(g), y.at(m)) for g, m in zip(grid, mean, strict=True)]),
        [path([(x.at(a), y.at(b)) for a, b in seed]) for seed in seeds] if many else [],
        dots,
    )


def mean_curve(
    seeds: Sequence[Sequence[tuple[float, float]]],
) -> tuple[list[float], list[float], list[float], list[float]]:
    """Cost, mean, lowest and highest score of several curves if all of them run.

    Curves are read between their points by straight lines; the grid is the first curve's costs if
    all curves share it, and as many even steps otherwise.
    """
    if not seeds:
        return [], [], [], []
    start, end = max(s[0][0] for s in seeds), min(s[-1][0] for s in seeds)
    if len(seeds) == 1 or all([p[0] for p in s] == [p[0] for p in seeds[0]] for s in seeds):
        grid = np.array([p[0] for p in seeds[0]])
    else:
        grid = np.linspace(start, max(end, start), max(2, min(len(s) for s in seeds)))
    rows = np.array([np.interp(grid, [p[0] for p in s], [p[1] for p in s]) for s in seeds])
    return grid.tolist(), rows.mean(0).tolist(), rows.min(0).tolist(), rows.max(0).tolist()


def path(points: Sequence[tuple[float, float]]) -> str:
    """An SVG path through points."""
    return "M" + "L".join(f"{x:g} {y:g}" for x, y in points) if points else ""


# Bars and strips ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Rect:
    x: float
    y: float
    width: float
    height: float
    title: str
    colour: int = 0
    opacity: float = 1.0


@dataclass(frozen=True, slots=True)
class BarChart:
    title: str
    bars: Sequence[Rect]
    x_ticks: Sequence[Tick]
    y_ticks: Sequence[Tick]
    x_label: str
    width: int = WIDE
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDE - RIGHT
    top: int = TOP
    bottom: int = HEIGHT - BOTTOM


#: Bins of a pass rate: never, four fifths of the open interval, always.
BINS = ("0", "to .2", "to .4", "to .6", "to .8", "< 1", "1")


def bin_of(rate: float) -> int:
    """Which of `BINS` a pass rate falls into: 0 and 1 are bins of their own."""
    if rate <= 0:
        return 0
    return 6 if rate >= 1 else min(5, 1 + int(rate * 5 - 1e-12))


def histogram(
    title: str, groups: Sequence[tuple[str, int, Sequence[float]]], x_label: str, *, of: str = "strata"
) -> BarChart:
    """Numbers of what `of` says per bin of pass rate; `groups` are (name, colour, seven heights)."""
    most = max((h for _, _, heights in groups for h in heights), default=1.0) or 1.0
    y = Scale(0.0, most * 1.05, HEIGHT - BOTTOM, TOP)
    step = (WIDE - LEFT - RIGHT) / len(BINS)
    width = (step - 6) / max(len(groups), 1)
    bars = [
        Rect(
            round(LEFT + 3 + i * step + g * width, 1),
            y.at(height),
            round(max(width - 1, 1.5), 1),
            round(HEIGHT - BOTTOM - y.at(height), 1),
            f"{name}, pass rate {BINS[i]}: {height:.3g} {of}",
            colour,
        )
        for g, (name, colour, heights) in enumerate(groups)
        for i, height in enumerate(heights)
    ]
    ticks = [Tick(round(LEFT + (i + 0.5) * step, 1), label) for i, label in enumerate(BINS)]
    return BarChart(title, bars, ticks, [Tick(y.at(v), short(v)) for v in nice_ticks(0, y.high)], x_label)


@dataclass(frozen=True, slots=True)
class Strip:
    """Cells of rows (strata) by columns (moments), shaded from 0 to 1."""

    title: str
    cells: Sequence[Rect]
    rows: Sequence[Tick]
    columns: Sequence[Tick]
    x_label: str
    height: int
    width: int = WIDE
    left: int = 52
    right: int = WIDE - RIGHT


def strip(
    title: str,
    rows: Sequence[str],
    columns: Sequence[tuple[float, str]],
    values: Sequence[Sequence[float]],
    words: str,
    x_label: str,
    *,
    scale: float = 1.0,
) -> Strip:
    """A heat strip. `values[row][column]` in [0, scale]; nan leaves a cell empty."""
    left, right, top = 52, WIDE - RIGHT, 6
    tall = 20.0 if len(rows) <= 10 else max(6.0, 220 / len(rows))
    step = (right - left) / max(len(columns), 1)
    cells = [
        Rect(
            round(left + c * step, 1),
            round(top + r * tall, 1),
            round(step - (1 if step > 5 else 0), 1),
            round(tall - (1 if tall > 5 else 0), 1),
            f"{row}, {columns[c][1]}: {percent(value)} {words}",
            opacity=round(0.06 + 0.94 * min(value / scale, 1.0), 3),
        )
        for r, row in enumerate(rows)
        for c, value in enumerate(values[r])
        if value == value
    ]
    every = max(1, math.ceil(len(rows) / 12))
    names = [Tick(round(top + (r + 0.5) * tall, 1), row) for r, row in enumerate(rows) if r % every == 0]
    bottom = top + len(rows) * tall
    each = max(1, math.ceil(len(columns) / 4))
    ticks = [
        Tick(round(left + (c + 0.5) * step, 1), short(columns[c][0])) for c in range(0, len(columns), each)
    ]
    return Strip(title, cells, names, ticks, x_label, round(bottom + 34))
