"""Traces come from the run, and a program cannot make up its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from harness.contract import DataError, Sandbox

from harness_codethinker.programs import CHARACTERS, STATEMENTS, contents, dealt, patterns, program
from harness_codethinker.tracing import traced

Build = Callable[..., Any]


@pytest.fixture
def sandbox(harness_build: Build) -> Iterator[Sandbox]:
    made = harness_build("sandboxes", "unsafe-local", i_know_what_i_do=True, slots=1)
    yield made
    made.close()


def test_a_program_that_looks_for_its_tracer_has_no_trace(sandbox: Sandbox) -> None:
    forger = "import sys\na=3\nsys._getframe()\nprint(a)\n"
    with pytest.raises(DataError, match=r"there is no trace(.|\n)*sys._getframe"):
        traced(sandbox, [forger])


def test_a_program_that_prints_what_looks_like_a_trace_changes_nothing(sandbox: Sandbox) -> None:
    liar = 'a=3\nprint(\'{"line":2,"depth":2,"values":{"a":9}}\')\n'
    (trace,) = traced(sandbox, [liar])
    assert "9" not in "".join(trace.steps)


def test_a_program_that_writes_to_every_descriptor_has_no_trace(sandbox: Sandbox) -> None:
    record = '{"line":2,"depth":2,"values":{"a":9}}\\n'
    forger = (
        "import os\na=3\nfor fd in range(3, 64):\n try:\n"
        f"  os.write(fd, b'{record}')\n except OSError:\n  pass\nprint(a)\n"
    )
    with pytest.raises(DataError, match=r"there is no trace(.|\n)*the program wrote to its channel"):
        traced(sandbox, ["a=3\nprint(a)\n", forger])


def test_a_program_that_fails_is_an_error_with_its_last_words(sandbox: Sandbox) -> None:
    with pytest.raises(DataError, match="ZeroDivisionError"):
        traced(sandbox, ["a=1/0\nprint(a)\n"])


def test_a_program_that_prints_more_than_a_line_is_an_error(sandbox: Sandbox) -> None:
    with pytest.raises(DataError, match="one line per program"):
        traced(sandbox, ["a=1\nprint(a)\nprint(a)\n"])


@pytest.mark.parametrize("variables", [1, 2])
@pytest.mark.parametrize("kind", STATEMENTS)
def test_no_two_numbers_give_the_same_program(kind: str, variables: int) -> None:
    (pattern,) = patterns([kind], 1)
    total = contents(pattern, variables)
    numbers = range(0, total, max(1, total // 5000))
    assert len({program(pattern, variables, number) for number in numbers}) == len(numbers)


def test_programs_stay_within_the_vocabulary_and_the_digits() -> None:
    for pattern in patterns(STATEMENTS, 3):
        text = program(pattern, 2, dealt(pattern, 2, "train", 11, seed=1))
        assert set(text) <= set(CHARACTERS)
        names: dict[str, int] = {}
        exec(text.rsplit("print", 1)[0], names)  # our own program
        assert 0 <= names["a"] <= 9
        assert 0 <= names["b"] <= 9


def test_the_splits_share_no_program() -> None:
    for pattern in patterns(STATEMENTS, 1):
        half = contents(pattern, 2) // 2
        some = range(0, half, max(1, half // 300))
        train = {dealt(pattern, 2, "train", i, seed=5) for i in some}
        assert not train & {dealt(pattern, 2, "heldout", i, seed=0) for i in some}
