"""Verifier `choice`: one letter, in a box or stated with or without its reason; several letters are wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from harness_benchmarks.choice import Choice
from harness_benchmarks.options import ChoiceOptions

from harness.contract.errors import DataError
from harness.contract.protocols import BuildContext
from harness.recipe import Resources
from tests.support.math_kit import rollout_of, task_of

FORMULA = "The area is \\boxed{A = \\pi r^2}.\n\nAnswer: C"
CASES = [
    # a formula in the working is no choice
    ("A", FORMULA, "fail"), ("C", FORMULA, "pass"), ("C", "\\boxed{\\Delta \\gg k_B T}. So **Answer: C**", "pass"),
    ("E", "\\boxed{E = mc^2}, so the answer is B.", "fail"), ("B", "\\boxed{E = mc^2}, so the answer is B.", "pass"),
    # several letters
    ("A", "\\boxed{A, B, C, D}", "fail"), ("A", "\\boxed{A or D}", "fail"), ("D", "\\boxed{A or D}", "fail"),
    ("A", "\\boxed{\\text{A and C}}", "fail"), ("A", "\\boxed{A/B}", "fail"), ("A", "\\boxed{(A) or (B)}", "fail"),
    ("A", "\\boxed{A \\text{ or } B}", "fail"), ("A", "\\boxed{(A) (B) (C)}", "fail"), ("A", "The answer is A or B.", "fail"),
    ("A", "Answer: A, B", "fail"), ("B", "Answer: A and B", "fail"), ("A", "\\boxed{AB}", "no_answer"),
    # a letter with its reason or its content
    ("B", "The answer is B because the others are wrong.", "pass"), ("B", "The answer is (B) because of x.", "pass"),
    ("B", "The correct answer is B, since x>2.", "pass"), ("B", "Answer: B) 12", "pass"), ("B", "answer is **B**.", "pass"),
    ("B", "The answer is B: seven", "pass"), ("B", "\\boxed{B \\text{ because it is larger}}", "pass"),
    ("B", "\\boxed{\\text{(B) } 25}", "pass"), ("B", "\\boxed{B. 12}", "pass"), ("B", "\\boxed{\\textbf{(B)}\\ 12}", "pass"),
    ("B", "\\boxed{B \\quad 12}", "pass"), ("C", "\\boxed{\\text{(C) Vitamin A}}", "pass"),
    # a letter alone
    ("B", "\\boxed{B}", "pass"), ("B", "\\boxed{b}", "pass"), ("B", "$\\boxed{\\mathrm{B}}$", "pass"), ("B", "B", "pass"),
    ("B", "\\boxed{\\text{Option B}}", "pass"), ("B", "Answer: $B$", "pass"), ("B", "The answer is option B.", "pass"),
    ("B", "So option B is correct.", "pass"), ("B", "The answer is **(B)**", "pass"),
    ("B", "Option A is wrong. The answer is B", "pass"), ("A", "Option A is wrong. The answer is B", "fail"),
    # no letter
    ("A", "The answer is a triangle.", "no_answer"), ("A", "The answer is A triangle", "no_answer"),
    ("I", "The answer is I think 5", "no_answer"),
]  # fmt: skip


def choice() -> Choice:
    context = BuildContext(seed=0, cache=Path(), data=None, build=lambda *_: None, resources=Resources())
    return Choice(ChoiceOptions(), context)


@pytest.mark.parametrize(("gold", "response", "status"), CASES)
def test_the_letter_of_a_response(gold: str, response: str, status: str) -> None:
    verdict = choice().verify(task_of(gold), rollout_of(response))
    assert verdict.status == status, verdict


@pytest.mark.parametrize("gold", ["B", "(B)", "b", "B.", "\\text{B}", "$B$", "\\textbf{(B)}", " B "])
def test_golds_in_brackets_and_fonts_are_letters(gold: str) -> None:
    assert choice().verify(task_of(gold), rollout_of("\\boxed{B}")).status == "pass"
    assert choice().verify(task_of(gold), rollout_of("\\boxed{C}")).status == "fail"


@pytest.mark.parametrize("gold", ["", "12", "A or B", "A, B", "banana", "Z"])
def test_a_gold_that_is_no_letter_is_refused(gold: str) -> None:
    with pytest.raises(DataError, match="is no letter"):
        choice().verify(task_of(gold), rollout_of("\\boxed{B}"))
