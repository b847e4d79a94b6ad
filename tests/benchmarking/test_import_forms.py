"""Rows of other tools, in the forms in which they write them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.benchmarking.importing import Answer, Outputs
from harness.benchmarking.problems import ProblemSet
from harness.contract.errors import DataError
from harness.contract.records import Sampling
from harness.support.finishes import WORDS, finish_of
from tests.support.builders import task

PROBLEMS = [
    "Find x.",
    "Find x. Then find y.",
    "Let n = 3. Find x. Then find y.",
    "How many?",
    "How many? Why?",
]
TEMPLATE = "Solve this: {}\nPut the answer in a box."


def answers(folder: Path, *rows: dict[str, Any], problems: list[str] = PROBLEMS) -> list[Answer]:
    path = folder / "theirs.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    tasks = tuple(task(str(n), id=f"p{n}", prompt=TEMPLATE.format(text)) for n, text in enumerate(problems))
    return list(Outputs(path, ProblemSet("b", tasks, 1, Sampling(), "1-A", {}, ())))


@pytest.mark.parametrize("written", [1, 1.0, "1", "1.0"])
def test_a_position_is_read_however_it_is_written(tmp_path: Path, written: Any) -> None:
    rows = [{"index": written, "response": "It is 4."}, {"index": 0, "response": "It is 5."}]
    assert [answer.task.id for answer in answers(tmp_path, *rows)] == ["p1", "p0"]


@pytest.mark.parametrize("written", [1.5, "one", True, "1e3"])
def test_what_is_no_position_names_no_problem(tmp_path: Path, written: Any) -> None:
    with pytest.raises(DataError, match="names no problem"):
        answers(tmp_path, {"index": written, "response": "It is 4."})


def test_a_byte_order_mark_is_no_part_of_the_first_row(tmp_path: Path) -> None:
    path = tmp_path / "theirs.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"index": 0, "response": "It is 4."}\r\n\r\n')
    tasks = (task("0", id="p0", prompt="How many?"),)
    assert [a.text for a in Outputs(path, ProblemSet("b", tasks, 1, Sampling(), "1-A", {}, ()))] == [
        "It is 4."
    ]


@pytest.mark.parametrize(
    ("given", "texts"),
    [
        ({"resps": [["It is 4."]]}, ["It is 4."]),
        ({"resps": [["It is 4.", "It is 5."]]}, ["It is 4.", "It is 5."]),
        ({"resps": [["It is 4."], ["It is 5."]]}, ["It is 4.", "It is 5."]),
        ({"resps": ["It is 4."]}, ["It is 4."]),
        ({"response": ["It is 4."]}, ["It is 4."]),
        ({"responses": ["It is 4.", "It is 5."]}, ["It is 4.", "It is 5."]),
        ({"response": [{"type": "text", "text": "It is 4."}]}, ["It is 4."]),
        (
            {"response": [{"type": "thinking", "thinking": "2+2"}, {"type": "text", "text": "It is 4."}]},
            ["<think>2+2</think>It is 4."],
        ),
        ({"outputs": [[{"type": "text", "text": "It is 4."}], "It is 5."]}, ["It is 4.", "It is 5."]),
        ({"prediction": "4"}, ["4"]),
        ({"generation": "It is 4."}, ["It is 4."]),
        ({"generated_text": "It is 4."}, ["It is 4."]),
        ({"completions": ["It is 4.", "It is 5."]}, ["It is 4.", "It is 5."]),
        ({"resps": None, "output": "It is 4."}, ["It is 4."]),
    ],
)
def test_answers_are_read_however_they_are_nested(
    tmp_path: Path, given: dict[str, Any], texts: list[str]
) -> None:
    assert [answer.text for answer in answers(tmp_path, {"doc_id": 0} | given)] == texts


@pytest.mark.parametrize(
    "given",
    [[[-1.5, False]], [[["It is 4.", None]]], [], [[]], 4, {"text": "4"}, [{"type": "image", "image": "x"}]],
)
def test_what_is_no_text_is_refused_by_its_field(tmp_path: Path, given: Any) -> None:
    with pytest.raises(DataError, match="line 1: field 'resps' is not text"):
        answers(tmp_path, {"doc_id": 0, "resps": given})


@pytest.mark.parametrize(
    ("said", "finishes"),
    [
        ({"finish": "stop"}, ["stop", "stop"]),
        ({"finish_reason": "max_tokens"}, ["length", "length"]),
        ({"finish_reason": ["stop", "length"]}, ["stop", "length"]),
        ({"finish_reasons": ["eos", "MAX_TOKENS"]}, ["stop", "length"]),
        ({"finish": ["end_turn", "abort"]}, ["stop", "abort"]),
        ({"finish": [None, "length"]}, ["stop", "length"]),
        ({"finish": None}, ["stop", "stop"]),
        ({"finish": None, "finish_reason": "length"}, ["length", "length"]),
        ({"finish_reason": ["stop_sequence", "model_length"]}, ["stop", "length"]),
        ({}, ["stop", "stop"]),
    ],
)
def test_each_answer_has_its_finish(tmp_path: Path, said: dict[str, Any], finishes: list[str]) -> None:
    row = {"index": 0, "responses": ["It is 4.", "It is 5."]} | said
    assert [answer.finish for answer in answers(tmp_path, row)] == finishes


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"finish": "odd"}, "field 'finish' is 'odd'"),
        ({"finish": ["stop"]}, "field 'finish' has 1 entries"),
        ({"finish_reason": ["stop", "odd"]}, "field 'finish_reason' is 'odd'"),
        ({"finish": 1}, "field 'finish' is 1"),
    ],
)
def test_a_finish_that_nobody_knows_is_refused(tmp_path: Path, said: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        answers(tmp_path, {"index": 0, "responses": ["It is 4.", "It is 5."]} | said)


@pytest.mark.parametrize(("number", "problem"), list(enumerate(PROBLEMS)))
@pytest.mark.parametrize(
    "written", ["{}", " {} ", "Solve this: {}", "{}\nPut the answer in a box.", TEMPLATE]
)
def test_a_problem_that_contains_another_is_not_that_one(
    tmp_path: Path, number: int, problem: str, written: str
) -> None:
    (answer,) = answers(tmp_path, {"problem": written.format(problem), "response": "It is 4."})
    assert answer.task.id == f"p{number}"


@pytest.mark.parametrize(
    "text", ["x. Then", "Then find y.", "Let n = 3.", "many", "", " ", "Solve this:", "Find z."]
)
def test_a_part_of_a_problem_is_none(tmp_path: Path, text: str) -> None:
    with pytest.raises(DataError, match="none of the benchmark's problems"):
        answers(tmp_path, {"problem": text, "response": "It is 4."}, problems=PROBLEMS[:4])


def test_a_single_problem_is_found(tmp_path: Path) -> None:
    (answer,) = answers(tmp_path, {"problem": "Find x.", "response": "4"}, problems=["Find x."])
    assert answer.task.id == "p0"


@pytest.mark.parametrize("finish", sorted(WORDS))
def test_no_word_has_two_meanings(finish: Any) -> None:
    assert all(finish_of(word) == finish for word in WORDS[finish])
    assert all(finish_of(word.upper().replace("_", "-")) == finish for word in WORDS[finish])
    assert (finish_of("odd"), finish_of(None), finish_of("odd", {"odd": "stop"})) == (None, None, "stop")
