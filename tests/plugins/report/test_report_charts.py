"""Geometry of the pictures."""

import math

import pytest
from harness_report.charts import (
    BINS,
    Curves,
    bin_of,
    histogram,
    line_chart,
    mean_curve,
    nice_ticks,
    short,
    strip,
)
from hypothesis import example, given
from hypothesis import strategies as st

finite = st.floats(-1e6, 1e6)


@given(finite, finite)
@example(-1.9567298506148262e-257, -1.244094761668579e-261)
@example(0.0, 5e-324)
@example(1e6 - 1e-9, 1e6)
def test_ticks_lie_within_and_are_evenly_spaced(a, b):
    low, high = sorted((a, b))
    ticks = nice_ticks(low, high)
    assert 1 <= len(ticks) <= 12 or high - low < 1e-6
    slack = 1e-8 * (high - low)
    assert all(low - slack <= t <= high + slack for t in ticks)


def points(text):
    return [tuple(map(float, p.split())) for p in text.removeprefix("M").split("L")]


curve = st.lists(st.tuples(st.integers(0, 10**6), st.floats(0, 1)), min_size=1, max_size=12).map(
    lambda rows: sorted(dict(rows).items())
)


@given(st.lists(curve, min_size=1, max_size=4), st.none() | st.floats(0, 1))
def test_lines_stay_inside_the_frame(seeds, threshold):
    chart = line_chart("t", "x", [Curves("a", 0, seeds)], threshold=threshold)
    drawn = [p for line in chart.lines for d in (line.mean, *line.seeds) if d for p in points(d)]
    for x, y in drawn:
        assert chart.left - 0.1 <= x <= chart.right + 0.1
        assert chart.top - 0.1 <= y <= chart.bottom + 0.1


def test_a_mean_curve_is_the_mean_where_costs_agree():
    grid, mean, low, high = mean_curve([[(0, 0.2), (10, 0.4)], [(0, 0.4), (10, 0.8)]])
    assert grid == [0, 10]
    assert mean == pytest.approx([0.3, 0.6])
    assert (low, high) == ([0.2, 0.4], [0.4, 0.8])


def test_a_mean_curve_ends_where_the_shortest_seed_ends():
    grid, mean, _, _ = mean_curve([[(0, 0.0), (10, 1.0)], [(0, 0.0), (20, 1.0)]])
    assert grid[-1] == 10
    assert mean[-1] == pytest.approx(0.75)


@given(st.floats(0, 1))
def test_every_rate_has_its_bin(rate):
    i = bin_of(rate)
    assert 0 <= i < len(BINS)
    assert (i == 0) == (rate == 0)
    assert (i == 6) == (rate == 1)


def test_histogram_bars_are_as_high_as_their_numbers():
    made = histogram("t", [("a", 0, [4, 0, 0, 2, 0, 0, 1])], "x")
    heights = [b.height for b in made.bars]
    assert heights[0] == pytest.approx(2 * heights[3], abs=0.2)
    assert heights[1] == 0


def test_a_strip_shades_by_value_and_leaves_out_what_was_not_measured():
    made = strip("t", ["7", "8"], [(0, "a"), (100, "b")], [[0.0, 1.0], [0.5, math.nan]], "passed", "x")
    assert [c.opacity for c in made.cells] == pytest.approx([0.06, 1.0, 0.53])
    assert made.cells[1].title == "7, b: 100.0\u2009% passed"


@pytest.mark.parametrize(("number", "text"), [(0, "0"), (40960, "41k"), (1_500_000, "1.5M"), (0.25, "0.25")])
def test_numbers_on_axes_are_short(number, text):
    assert short(number) == text
