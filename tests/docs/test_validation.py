"""The page validation.md says what the code says, and every sample that differs has been looked at."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from harness.benchmarking.cut import looks_cut
from tests.support.data import data_folder
from tests.support.places import ROOT

HERE = ROOT


def test_the_page_is_what_the_code_says_now() -> None:
    pytest.importorskip("math_verify")
    data = data_folder()
    done = subprocess.run(
        [sys.executable, "docs/make/validate.py", "--check"],
        cwd=HERE, env={**os.environ, "HARNESS_DATA": str(data)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_difference_is_left_unexplained() -> None:
    page = (HERE / "docs" / "explanation" / "validation.md").read_text()
    assert "| open |" not in page
    assert page.count("ours:") > 15


WORKING = "Let us add the terms one by one and check each of them twice."
WHOLE = [
    "Answer: 204",
    "**204**",
    "#### 204",
    "The final answer is 204",
    "A: 26",
    "The total is $26",
    "Answer: B",
    "Final Answer: (B)",
    "The answer is **204**",
    "the answer is 204 dollars",
    "So the final result is 3.5 km",
    "Therefore \\boxed{204} m",
    "So it is \\boxed{204} \U0001f60a",
    "It is \\boxed{204}<|im_end|>",
    "It is 204</s>",
    "x = 204 \\quad\\blacksquare",
    "which is Q.E.D",
    "which was to be shown \u220e",
    "So \\boxed{11}:\n\n- 3 + 4\n- 5 + 6",
    "answer is \\frac{1}{2}",
    "204",
    "**Answer:** 1,234",
    "#### -3/4",
    "Answer: 50%",
]
CUT = [
    "So the answer is the",
    "Then we have x = 3 +",
    "the final answer is obtained by adding the",
    "The answer must be greater than 3 because the",
    "and then **bold** text goes",
    "so that, with n = 5, the",
    "The total is the sum of 3 and",
    "The answer is 4 because of the other",
    "So 2 of them are then put",
    "The answer is \\boxed{20",
    "1. One.\n\n2",
    "1. One.\n2. **",
    "- **132:**\n  - 132 is even, so divide by 2:",
    "There are \\boxed{2} values of x for which",
    "- between 10 and 99",
    "3. Factor",
    "- First, we look at the sums that",
]


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
        *((f"{WORKING}\n\n{end}", False) for end in WHOLE),
        *((f"{WORKING}\n\n{end}", True) for end in CUT),
    ],
)
def test_a_response_that_stops_in_mid_sentence_looks_cut(text: str, cut: bool) -> None:
    assert looks_cut(text) is cut
