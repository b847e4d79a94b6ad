"""How numbers are written on pages and in words."""

import pytest

from harness.board.pages import flat
from harness.support.figures import count, duration, percent


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0"), (40960, "40,960"), (999_999, "999,999"), (1_000_000, "1.00\u2009M"),
     (6_640_371, "6.64\u2009M"),
     (161_280_000, "161\u2009M"), (2.5e9, "2.50\u2009G")],
)  # fmt: skip
def test_counts(number, text):
    assert count(number) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.25, "0.2\u2009s"), (42, "42\u2009s"), (119.6, "2\u2009min"), (200, "3\u2009min 20\u2009s"),
     (7500, "2\u2009h 5\u2009min"), (7199.9, "2\u2009h")],
)  # fmt: skip
def test_durations(seconds, text):
    assert duration(seconds) == text


def test_rates_and_what_was_not_measured():
    assert percent(0.8071) == "80.7\u2009%"
    assert percent(0.8071, 0) == "81\u2009%"
    assert percent(None) == percent(float("nan")) == "–"


def test_nested_values_become_one_line():
    assert (
        flat({"cpu": "x", "packages": {"torch": "2.13"}, "cores": [1, 2]})
        == "cpu x, packages torch 2.13, cores 1 2"
    )
