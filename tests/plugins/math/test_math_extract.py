"""Where the final answer is found: after thinking, in the last balanced box."""

from __future__ import annotations

import json
import re

import pytest
from harness_math.extract import after_thinking, extract, last_boxes

from tests.support.math_kit import rollout_of, task_of, verifier
from tests.support.places import DATA

CASES = DATA / "verify" / "extract_cases.jsonl"


def extracted(
    response: str, *, thinking: str = "none", extraction: str = "boxed", cut: bool = False
) -> str | None:
    return extract(response, thinking=thinking, extraction=extraction, truncated=cut).text


@pytest.mark.parametrize(
    ("response", "answer"),
    [
        ("so \\boxed{25}.", "25"),
        ("first \\boxed{7}, no: \\boxed{25}", "25"),
        ("\\boxed {25}", "25"),
        ("\\boxed{\\frac{1}{2}}", "\\frac{1}{2}"),
        ("\\boxed{\\text{a } b}", "\\text{a } b"),
        ("\\boxed{\\{1, 2\\}}", "\\{1, 2\\}"),
        ("\\boxed{25} and then \\boxed{26", "25"),
        ("\\boxed{a \\boxed{b} c}", "a \\boxed{b} c"),
        ("\\boxed{1}" * 50_000, "1"),
        ("\\fbox{7}", "7"),
        ("\\boxed", None),
        ("\\boxed 25", "25"),
        ("\\boxed{25", None),
        ("25", None),
        ("", None),
    ],
)
def test_the_last_balanced_box(response: str, answer: str | None) -> None:
    assert extracted(response) == answer


@pytest.mark.parametrize(
    ("thinking", "response", "answer"),
    [
        # The template opened it: a cut response holds no tag at all.
        ("prefilled", "maybe \\boxed{25} wait let me", None),
        ("prefilled", "maybe \\boxed{7} wait</think> \\boxed{25}", "25"),
        ("prefilled", "maybe \\boxed{25}</think> I cannot say", None),
        ("model", "<think> maybe \\boxed{25} wait let me", None),
        ("model", "<think> maybe \\boxed{7}</think> \\boxed{25}", "25"),
        ("model", "\\boxed{25}", "25"),
        ("model", "<think>a</think> \\boxed{25} <think> or \\boxed{7}", "25"),
        ("model", "<think>a</think> hm <think>b</think> \\boxed{25}", "25"),
        ("none", "<think> maybe \\boxed{25}", "25"),
    ],
)
def test_thinking_is_no_answer(thinking: str, response: str, answer: str | None) -> None:
    assert extracted(response, thinking=thinking) == answer


def test_unended_thinking_is_no_answer_and_says_why() -> None:
    judge = verifier(thinking="prefilled")
    verdict = judge.verify(task_of("25"), rollout_of("maybe \\boxed{25}", finish="length"))
    assert (verdict.status, verdict.score, verdict.extracted) == ("no_answer", 0.0, None)
    assert verdict.reason == "thinking never ended"


@pytest.mark.parametrize("response", ["the answer is 2", "2", "x = $2"])
def test_a_truncated_response_without_a_box_has_no_answer(response: str) -> None:
    judge = verifier(extraction="any")
    assert judge.verify(task_of("2"), rollout_of(response, finish="length")).status == "no_answer"
    assert (
        judge.verify(task_of("2"), rollout_of(f"\\boxed{{2}} {response}", finish="length")).status == "pass"
    )


@pytest.mark.parametrize(
    ("response", "final", "anything"),
    [
        ("42", "42", "42"),
        ("x = 14/3", "x = 14/3", "x = 14/3"),
        ("$\\frac12$", "$\\frac12$", "$\\frac12$"),
        ("The answer is **25**.", None, "25"),
        ("Step 1: add\nFinal answer: 42", None, "42"),
        ("The answer is $(0, 0)$. I hope it is correct.", None, "$(0, 0)$"),
        ("I add 20 and 22.\n#### 42", None, "42"),
        ("<answer>3x + 2</answer>", None, "3x + 2"),
        ("We find that $x < 3$.", None, "x < 3"),
        ("It has 12 faces. So there are 30 edges in all.", None, "30"),
        ("I do not know", None, None),
    ],
)
def test_without_a_box(response: str, final: str | None, anything: str | None) -> None:
    assert extracted(response) is None
    assert extracted(response, extraction="final") == final
    assert extracted(response, extraction="any") == anything


def test_boxes_of_one_sentence_are_kept_together() -> None:
    assert last_boxes("$$\\boxed{k = 45} \\quad \\text{and} \\quad \\boxed{n = 2}$$") == ("k = 45", "n = 2")
    assert last_boxes("We get \\boxed{1}. Hence \\boxed{2}") == ("2",)
    assert last_boxes("first \\boxed{7}, no: \\boxed{25}") == ("25",)


def test_boxes_together_answer_only_a_gold_of_several_parts() -> None:
    two = rollout_of("$x$ is $\\boxed{7}$, $y$ is $\\boxed{25}$")
    assert verifier().verify(task_of("7, 25"), two).status == "pass"
    assert verifier().verify(task_of("25"), two).status == "pass"
    assert verifier().verify(task_of("7"), two).status == "fail"
    assert verifier().verify(task_of("7, 25, 26"), two).status == "fail"


def test_boxes_with_or_between_them_are_guesses() -> None:
    two = rollout_of("$x$ is $\\boxed{7}$ or $\\boxed{25}$")
    assert verifier().verify(task_of("7, 25"), two).status == "pass"
    assert verifier().verify(task_of("25"), two).status == "fail"
    assert verifier().verify(task_of("7"), two).status == "fail"


def test_after_thinking_keeps_the_text() -> None:
    assert after_thinking("<think>a</think>b", "model") == "b"
    assert after_thinking("b", "prefilled") is None


#: Cases that ask for another policy than ours, by what their project's extractor does.
OTHER_POLICY = {
    "No numeric content at all": "the empty string, where there is no answer",
    "No letter here": "the whole text, where there is no answer",
    "c": "the letter in upper case; here comparison decides",
    "I think the final answer is $ \\boxed{\\frac12} $.": "a rewritten answer; here the source is kept",
    "B is correct. Or maybe C. Actually let's finalize B": "the last letter of a text",
    "The correct answer is A": "a letter without a formula",
    "no structure here\njust 42": "the last line; here the number in it",
    "just 42": "nothing, as that extractor takes boxes only; here the number",
    "I think it's (D).": "a letter in brackets",
}


@pytest.mark.skipif(not CASES.exists(), reason=f"no {CASES}: set HARNESS_DATA")
def test_the_extraction_cases_of_other_projects() -> None:
    """Boxes must agree with every project; where a project looks further, `any` does too, but for
    the cases above, each of which is another policy, not another answer."""
    wrong = []
    cases = [json.loads(line) for line in CASES.read_text().splitlines()]
    assert len(cases) == 41
    for case in cases:
        boxed = "boxed" in case["note"]
        answer = extracted(case["text"], extraction="boxed" if boxed else "any")
        expected = case["expected_extraction"]
        if expected is not None:
            box = re.fullmatch(r"\\(?:fbox|boxed)\{(.*)\}", expected)
            expected = (box[1] if box else expected).strip()
        same = (None if answer is None else answer.strip().strip("$")) == expected
        if not same and case["text"] not in OTHER_POLICY:
            wrong.append((case["text"], expected, answer))
    assert not wrong
