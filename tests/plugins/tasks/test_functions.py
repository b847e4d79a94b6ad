"""Source `small-functions`: tasks whose answers are tests, and the programs that pass them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from harness_code import cases, judge
from harness_code.extract import last_block
from harness_tasks.functions import ARGUMENTS, FunctionOptions, SmallFunctions, contents, subject
from hypothesis import given
from hypothesis import strategies as st

from harness.contract.errors import DataError, RecipeError
from harness.contract.records import Task
from harness.recipe.errors import validated
from harness.testing import TaskSourceConformance
from tests.support.builders import context
from tests.support.sandboxes import contained, sandbox

levels = st.integers(1, 50)
indices = st.integers(0, 10**9)
seeds = st.integers(-5, 10**6)
splits = st.sampled_from(["train", "heldout"])


class TestConformance(TaskSourceConformance):
    name = "small-functions"
    options = {"strata": "2-4"}
    heldout = {"strata": "2-4", "split": "heldout"}


def source(run_seed: int = 0, **options: object) -> SmallFunctions:
    return SmallFunctions(validated(FunctionOptions, options, where="test"), context(seed=run_seed))


def by_hand(prompt: str, value: int) -> int:
    """What the prompt says, read one operation after the other."""
    body = prompt.removeprefix("f:").removesuffix("=")
    for sign, digit in zip(body[::2], body[1::2], strict=True):
        value = {"+": value + int(digit), "-": value - int(digit), "*": value * int(digit)}[sign]
    return value


@given(levels, indices, seeds, splits)
def test_the_tests_are_what_the_prompt_says(level: int, index: int, seed: int, split: str) -> None:
    task = source(strata=[level], seed=seed, split=split).draw(subject(level), index)
    prompt = task.prompt[0].content
    assert len(prompt) == 2 * level + 3
    assert [test["args"] for test in task.answer["tests"]] == [[value] for value in ARGUMENTS]
    assert [test["expected"] for test in task.answer["tests"]] == [by_hand(prompt, v) for v in ARGUMENTS]
    assert (task.verifier, task.domain, task.subject) == ("code", "code", subject(level))


@given(levels, indices, seeds, splits)
def test_the_solution_does_what_the_tests_ask(level: int, index: int, seed: int, split: str) -> None:
    task = source(strata=[level], seed=seed, split=split).draw(subject(level), index)
    program = last_block(task.meta["solution"])
    assert program is not None
    names: dict[str, Any] = {}
    exec(program, names)  # a program of our own
    assert [names["f"](value) for value in ARGUMENTS] == [t["expected"] for t in task.answer["tests"]]


@given(levels, indices, seeds, splits)
def test_drawing_is_pure_and_an_id_alone_rebuilds_the_task(
    level: int, index: int, seed: int, split: str
) -> None:
    task = source(strata=[level], seed=seed, split=split).draw(subject(level), index)
    assert source(strata="1-50", seed=seed, split=split).draw(subject(level), index) == task
    assert source(run_seed=99, strata=[1]).get(task.id) == task


def test_the_splits_share_out_all_functions_of_a_small_level() -> None:
    def prompts(split: str, count: int) -> list[str]:
        drawn = source(strata=[2], split=split)
        return [drawn.draw(subject(2), index).prompt[0].content for index in range(count)]

    half = contents(2) // 2
    train, held = prompts("train", contents(2) - half), prompts("heldout", half)
    assert len(set(train)) == len(train)
    assert len(set(held)) == len(held)
    assert len(set(train) | set(held)) == contents(2)


def test_a_program_that_leaves_something_out_passes_some_tests_at_most() -> None:
    def judged(task: Task, text: str) -> list[bool]:
        program, answer = last_block(text), cases.parse(task.answer)
        assert program is not None
        results = asyncio.run(judge.judge(program, answer, pool, stop_at_failure=False))
        return [result.passed for result in results]

    with sandbox(contained()) as pool:
        drawn = (source(strata=[2]).draw(subject(2), index) for index in range(300))
        task = next(t for t in drawn if t.prompt[0].content.startswith("f:*7+"))
        right = task.meta["solution"]
        assert judged(task, right) == [True] * len(ARGUMENTS)
        lines = right.splitlines()
        without_product = "\n".join(lines[:2] + lines[3:])
        assert judged(task, without_product) == [value == 0 for value in ARGUMENTS]


@pytest.mark.parametrize("strata", ["0", "1-51"])
def test_levels_that_there_are_not_are_refused(strata: str) -> None:
    with pytest.raises(RecipeError, match="levels run from 1 to 50"):
        source(strata=strata)


@pytest.mark.parametrize(
    "name", ["small-functions/0/train/1", "small-functions/51/train/1", "functions/1/train/1"]
)
def test_ids_of_other_forms_are_refused(name: str) -> None:
    with pytest.raises(DataError, match="is not a task of this source"):
        source().get(name)
