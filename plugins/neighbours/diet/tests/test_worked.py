"""Chains with answers of three lengths."""

import pytest

from harness_diet.worked import style_of, written

NAME = "staged-harness-diet/worked-chain"


@pytest.mark.parametrize(
    ("style", "text"), [("at-once", "1"), ("worked", "431=1"), ("restated", "431=1=1=1=1")]
)
def test_the_three_ways_to_answer(style, text):
    assert written("431", style) == text


def test_shares_are_kept_over_many_tasks():
    styles = [style_of(f"t/{i}", {"worked": 1.0, "restated": 3.0}) for i in range(4000)]
    assert set(styles) == {"worked", "restated"}
    assert styles.count("restated") / 4000 == pytest.approx(0.75, abs=0.03)


def test_demonstrations_show_what_questions_ask_for(harness_build):
    asked = harness_build("task_sources", NAME, strata="3")
    shown = harness_build("task_sources", NAME, strata="3", show={"restated": 1.0})
    for index in range(20):
        question, demonstration = asked.draw("3", index), shown.draw("shown-3", index)
        assert question.prompt == demonstration.prompt
        assert (question.domain, demonstration.domain) == ("asked", "shown")
        assert demonstration.answer.endswith(f"={question.answer}")
        assert question.verifier == "last-number"
