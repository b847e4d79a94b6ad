"""Nearly all samples without an answer for one reason: said wherever the score is, with the setting."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.statistics.tally import MOST, Tally
from tests.support.evaluations import echo, evaluate, math500_rows, report, write_rows

pytest.importorskip("math_verify")

UNANSWERED = 3
R1 = ["--profile", "r1-standard", "--limit", "10"]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    write_rows(tmp_path / "data", math500_rows())
    return tmp_path


def outputs(home: Path, responses: list[str]) -> str:
    rows = [{"index": i, "response": text} for i, text in enumerate(responses)]
    (home / "theirs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return "theirs.jsonl"


def test_an_import_without_the_end_of_thinking_names_the_override(home: Path) -> None:
    name = outputs(home, [f"It is \\boxed{{{i}}}." for i in range(10)])
    said = evaluate(home, "score", "--import", name, "-b", "math500", *R1, code=UNANSWERED)
    assert "warning: math500: 10 of 10 samples have no answer, for one reason: thinking never ended" in said
    override = "domains.math.verifier.thinking=none"
    assert f"--override {override}" in said
    assert "harness score runs/theirs-r1-standard-1 --set thinking=none" in said
    # What the warning names helps.
    again = evaluate(home, "score", "--import", name, "-b", "math500", *R1, "--override", override)
    assert "100.0 %" in again
    assert "warning" not in again
    judged = evaluate(home, "score", "runs/theirs-r1-standard-1", "--set", "thinking=none")
    assert "warning" not in judged
    assert "warning" not in evaluate(home, "report", "runs/theirs-r1-standard-1")


def test_eval_and_report_say_it_too(home: Path) -> None:
    for said in (
        evaluate(home, "eval", "m", "-b", "math500", *R1, *echo("It is 3."), code=UNANSWERED),
        evaluate(home, "report", "runs/m-r1-standard-1", code=UNANSWERED),
    ):
        assert "warning: math500: 40 of 40 samples have no answer" in said
    values = report(home, "runs/m-r1-standard-1", code=UNANSWERED)
    assert len(values["warnings"]) == 1
    # Without tags there is still no box: the next setting is named.
    said = evaluate(home, "score", "runs/m-r1-standard-1", "--set", "thinking=none", code=UNANSWERED)
    assert "for one reason: no box" in said
    assert "--set extraction=any" in said


def test_another_verifier_is_given_no_option_that_it_may_not_have(home: Path) -> None:
    evaluate(home, "eval", "m", "-b", "math500", *R1, *echo("So it is."), code=UNANSWERED)
    said = evaluate(home, "score", "runs/m-r1-standard-1", "--verifier", "last-number", code=UNANSWERED)
    assert "warning: math500: 40 of 40 samples have no answer" in said
    assert "extraction=any" not in said
    assert "next: look at the answers in runs/m-r1-standard-1" in said


def test_a_token_limit_that_cuts_them_all_is_named(home: Path) -> None:
    said = evaluate(
        home, "eval", "m", "-b", "math500", *R1, "--override", "sampling.max_tokens=20", "--samples", "1",
        *echo("thinking " * 20), code=UNANSWERED,
    )  # fmt: skip
    assert "10 samples were cut at the token limit" in said
    assert "--override sampling.max_tokens=NUMBER" in said


def test_truncated_imports_name_the_setting_too(home: Path) -> None:
    cut = "We add the two numbers that are given in the problem and carry the ones over to the"
    said = evaluate(
        home, "score", "--import", outputs(home, [cut] * 10), "-b", "math500", *R1, code=UNANSWERED
    )
    assert "--override domains.math.verifier.thinking=none" in said
    assert "10 responses are truncated, or look so" in said
    assert "max_tokens" not in said, "nothing is generated here"


def test_what_a_verifier_adds_to_a_reason_is_no_other_reason(home: Path) -> None:
    texts = ["It is 1."] * 7 + [
        "We add the two numbers that are given in the problem and carry on to the"
    ] * 3
    none = ["--override", "domains.math.verifier.thinking=none"]
    name = outputs(home, texts)
    said = evaluate(home, "score", "--import", name, "-b", "math500", *R1, *none, code=UNANSWERED)
    assert "10 of 10 samples have no answer, for one reason: no box" in said
    assert "extraction=any" in said


@pytest.mark.parametrize(("answered", "code"), [(1, UNANSWERED), (2, 0)])
def test_nine_in_ten_are_nearly_all(home: Path, answered: int, code: int) -> None:
    texts = ["</think> \\boxed{0}"] * answered + ["It is 1."] * (10 - answered)
    said = evaluate(home, "score", "--import", outputs(home, texts), "-b", "math500", *R1, code=code)
    assert ("warning" in said) == bool(code)


def test_different_reasons_are_no_single_cause(home: Path) -> None:
    texts = ["It is 1."] * 5 + ["</think> It is 1."] * 5
    said = evaluate(home, "score", "--import", outputs(home, texts), "-b", "math500", *R1)
    assert "warning" not in said


def test_a_refused_score_keeps_its_exit_code(home: Path) -> None:
    name = outputs(home, ["It is 1."] * 9)
    said = evaluate(home, "score", "--import", name, "-b", "math500", *R1, code=1)
    assert "warning: math500: 9 of 9 samples" in said


def test_reasons_of_a_verifier_that_says_something_else_each_time_are_bounded() -> None:
    tally = Tally()
    for i in range(100):
        tally.add(i, status="no_answer", score=0.0, extracted=None, finish="stop", tokens=1, tail=False,
                  reason=f"no answer, {i}")  # fmt: skip
    assert len(tally.reasons) == MOST
