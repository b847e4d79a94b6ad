"""A matrix that says nothing is refused, and one that says little is answered with a stated prior."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.contract.errors import DataError
from harness.statistics.irt import Item, Matrix, Scale, fit, matrix_of, place, read_scale, write_scale


def outcomes(**rows: Sequence[int | None]) -> Matrix:
    """Rows of 1 (passed), 0 (failed) and None (not run), by configuration."""
    return matrix_of({
        name: {f"i{i}": (1.0, float(x)) for i, x in enumerate(row) if x is not None}
        for name, row in rows.items()
    })  # fmt: skip


def test_a_configuration_that_solved_nothing_has_a_finite_ability_and_says_so() -> None:
    fitted = fit(outcomes(none=[0, 0, 0, 0], some=[1, 1, 0, 0], more=[1, 1, 1, 0]))
    assert fitted.extreme == ("none",)
    assert np.isfinite(fitted.theta).all()
    assert np.argmin(fitted.theta) == 0
    assert fitted.theta_se[0] > 0.3, "little is known of it"


def test_items_that_all_solve_or_nobody_solves_stay_finite() -> None:
    fitted = fit(outcomes(x=[1, 0, 0, 1], y=[1, 0, 1, 0], z=[1, 0, 1, 1]))
    assert np.isfinite(fitted.items.b).all()
    assert fitted.items.b[0] < fitted.items.b[1]


@pytest.mark.parametrize("rows", [{"x": [1], "y": [0]}, {"x": [1, 0, 1]}])
def test_one_item_or_one_configuration_is_refused(rows: Any) -> None:
    with pytest.raises(DataError, match="cannot be told apart"):
        fit(outcomes(**rows))


def test_blocks_that_share_nothing_are_refused() -> None:
    with pytest.raises(DataError, match=r"2 blocks .* scales cannot be compared"):
        fit(outcomes(x=[1, 0, None, None], y=[0, 1, None, None], z=[None, None, 1, 0]))


def test_outcomes_that_are_all_alike_are_refused() -> None:
    with pytest.raises(DataError, match="passed nothing"):
        fit(outcomes(x=[0, 0, 0], y=[0, 0, 0]))


def test_counts_that_are_no_counts_are_refused() -> None:
    with pytest.raises(DataError, match=r"2\.0 passes of 1\.0 samples"):
        matrix_of({"x": {"i": (1.0, 2.0)}})
    with pytest.raises(DataError, match="nan passes"):
        matrix_of({"x": {"i": (1.0, float("nan"))}})


def test_a_policy_that_passed_nothing_is_placed_by_the_prior() -> None:
    items = Scale({f"i{b}": Item(1.0, float(b)) for b in range(-2, 3)}).items_of(
        [f"i{b}" for b in range(-2, 3)]
    )
    placed = place(items, np.ones(5), np.zeros(5))
    assert -3 < placed.theta < -0.5
    nothing = place(items, np.zeros(5), np.zeros(5))
    assert (nothing.theta, nothing.se) == (0.0, 1.0)


def test_a_file_that_is_no_scale_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such scale"):
        read_scale(tmp_path / "none.json")
    (tmp_path / "other.json").write_text('{"items": 3}')
    with pytest.raises(DataError, match="Scale"):
        read_scale(tmp_path / "other.json")
    write_scale(Scale({"i": Item(-1.0, 0.0)}), tmp_path / "swapped.json")
    with pytest.raises(DataError, match="a > 0"):
        read_scale(tmp_path / "swapped.json")


@dataclass(frozen=True)
class Noted(Scale):
    note: str = ""


def test_a_derived_scale_keeps_more_in_the_same_file(tmp_path: Path) -> None:
    write_scale(Noted({"i": Item(1.0, 0.5)}, note="of one item"), tmp_path / "scale.json")
    assert read_scale(tmp_path / "scale.json").items == {"i": Item(1.0, 0.5)}
    assert read_scale(tmp_path / "scale.json", Noted).note == "of one item"
