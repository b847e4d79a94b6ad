"""docs/validation.md says what the code says, and every sample that differs has been looked at."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.data import data_folder

from harness.benchmarking.cut import looks_cut

HERE = Path(__file__).resolve().parents[1]


def test_the_page_is_what_the_code_says_now() -> None:
    pytest.importorskip("math_verify")
    data = data_folder()
    done = subprocess.run(
        [sys.executable, "docs/validate.py", "--check"],
        cwd=HERE, env={**os.environ, "HARNESS_DATA": str(data)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_difference_is_left_unexplained() -> None:
    page = (HERE / "docs" / "validation.md").read_text()
    assert "| open |" not in page
    assert page.count("ours:") > 15


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        ("Adding both sides gives the number that was asked for, so the result is 326.5.", False),
        ("Adding both sides gives the number that was asked for:\n\\[ x = 42 \\]", False),
        ("Adding both sides gives the number asked for. So the answer is $\\boxed{42}$", False),
        ("42", False),
        ("Adding both sides gives the number that was asked for:\n\\[ x = 4", True),
        ("Adding both sides gives the number that was asked for, which we can now", True),
        ("Adding both sides gives what was asked for in code:\n```\nx = 1.", True),
        ("The distance formula with these values, that is d = \\sqrt{(-6)^2 + \\frac{9}{2}.", True),
    ],
)
def test_a_response_that_stops_in_mid_sentence_looks_cut(text: str, cut: bool) -> None:
    assert looks_cut(text) is cut
