"""Killing any part at random moments, with all of them at work, changes no end and leaves nothing behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.kill_matrix import PAGE, Matrix, Row, placed, table
from tests.support.kill_matrix.matrix import PARTS


@pytest.mark.parametrize(
    ("trainer", "needs", "kills"), [("sim", "aiohttp", 20), ("torch", "torch", 10), ("trl", "trl", 6)]
)
def test_every_part_is_killed_and_every_end_is_that_of_an_unbroken_run(
    tmp_path: Path, trainer: str, needs: str, kills: int
) -> None:
    for package in ("aiohttp", "uvicorn", "math_verify", needs):
        pytest.importorskip(package, reason=f"needs {package}")
    rows = Matrix(tmp_path / trainer, trainer, seed=1).run(kills)
    assert sum(row.kills for row in rows) == kills
    assert all(row.same == row.kills and not row.left for row in rows), table(rows)
    assert kills < len(PARTS) or all(row.kills for row in rows), "every part has its turn"


def test_a_table_has_its_sums() -> None:
    assert table([Row("arm", "sim", 3, 3, 0), Row("arm", "trl", 2, 2, 0)]).splitlines()[-1] == (
        "| all | | 5 | 5 | 0 |"
    )


def test_the_page_has_the_place_that_the_table_is_written_to() -> None:
    text = PAGE.read_text(encoding="utf-8")
    written = text.partition("--write -->\n\n")[2].partition("\n\n<!-- /kills -->")[0]
    assert written
    assert placed(text, written) == text
