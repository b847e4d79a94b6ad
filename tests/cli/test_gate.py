"""`harness compare A B --fail-if-worse-than`: the answer is the exit code."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.evaluations import echo, evaluate, math500_rows, write_rows

pytest.importorskip("math_verify")

WORSE, UNDECIDED, ERROR = 4, 5, 2
ASK = ["-b", "math500", "--samples", "8", "--profile", "greedy-smoke"]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`right` solves all of 12 problems, `wrong` none, both with 8 samples."""
    made = tmp_path_factory.mktemp("gate")
    write_rows(made / "data", [{**row, "answer": "3"} for row in math500_rows()])
    evaluate(made, "eval", "right", *ASK, "--limit", "12", *echo("\\boxed{3}"))
    evaluate(made, "eval", "wrong", *ASK, "--limit", "12", *echo("\\boxed{4}"))
    return made


def gate(home: Path, a: str, b: str, margin: str, code: int) -> str:
    runs = [f"runs/{name}-greedy-smoke-1" for name in (a, b)]
    return evaluate(home, "compare", *runs, "--fail-if-worse-than", margin, code=code)


@pytest.mark.parametrize(
    ("a", "b", "margin", "code", "said"),
    [
        ("wrong", "right", "0", 0, "B is not worse than A by more than 0 points"),
        ("right", "right", "5pt", 0, "B is not worse than A by more than 5 points"),
        ("right", "wrong", "50 points", WORSE, "B is worse than A by more than 50 points"),
        ("right", "right", "2pt", UNDECIDED, "of both would, 4 times in 5"),
        (
            "right",
            "right",
            "0.02",
            ERROR,
            "has no unit; in percentage points: 2pt for a share of 0.02, or 0.02pt",
        ),
        ("right", "right", "2", ERROR, "'2' has no unit; in percentage points: 2pt"),
        ("right", "right", "2%", ERROR, "is no number of percentage points"),
        ("right", "right", "100pt", ERROR, "allowed: 0 to under 100"),
    ],
)
def test_the_exit_code_is_the_answer(home: Path, a: str, b: str, margin: str, code: int, said: str) -> None:
    assert said in gate(home, a, b, margin, code)


def test_without_a_gate_a_difference_is_no_failure(home: Path) -> None:
    evaluate(home, "compare", "runs/right-greedy-smoke-1", "runs/wrong-greedy-smoke-1")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["runs/right-greedy-smoke-1"], "is an evaluation, which is compared with another one"),
        (["data/notes.jsonl"], "no run in this folder"),
        (
            ["runs/right-greedy-smoke-1", "runs/wrong-greedy-smoke-1", "-b", "math50"],
            "did you mean 'math500'",
        ),
    ],
)
def test_what_cannot_be_compared_is_refused_by_name(home: Path, arguments: list[str], said: str) -> None:
    (home / "data" / "notes.jsonl").write_text("{}\n")
    assert said in evaluate(home, "compare", *arguments, code=2)
