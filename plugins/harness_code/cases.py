"""What a code task's `answer` holds: how the program is asked, and what is right.

Three forms: programs that read and print (`Stdio`), functions that are called (`Functional`), and
tests written as asserts (`Asserts`). Limits are of one test.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from harness.errors import DataError


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits of one test: seconds of CPU, seconds of the clock, MiB, bytes of output."""

    cpu_seconds: float = 6.0
    #: The clock's limit is generous: a busy host must not fail a program that was quick.
    wall_seconds: float = 18.0
    memory_mb: int = 512
    #: Of stdout and stderr, each; of the values of all calls together.
    output_bytes: int = 1 << 20
    result_bytes: int = 8 << 20


class Case(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One input and the output that is right."""

    input: str
    output: str


class Stdio(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="stdio", forbid_unknown_fields=True
):
    """A program that reads stdin and writes stdout."""

    tests: tuple[Case, ...]
    #: A program of a compiled language is compiled once and run for each test.
    language: Literal["python", "cpp"] = "python"
    #: A rule of `compare.TEXT_RULES`.
    compare: str = "tokens"
    tolerance: float = 1e-6
    #: Source of `check(input, output, expected) -> bool` where several outputs are right; it runs in a
    #: sandbox of its own, after the program is gone.
    checker: str = ""
    limits: Limits = Limits()


class Call(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One call's arguments and the value that is right."""

    args: tuple[Any, ...]
    expected: Any


class Functional(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="functional", forbid_unknown_fields=True
):
    """A function, or a method of `Solution`, that is called with plain values."""

    entry_point: str
    tests: tuple[Call, ...]
    #: A rule of `compare.VALUE_RULES`.
    compare: str = "json"
    tolerance: float = 1e-6
    prelude: str = ""
    limits: Limits = Limits()


class Asserts(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="asserts", forbid_unknown_fields=True
):
    """Test code with asserts about a function, as HumanEval and MBPP have it."""

    entry_point: str
    tests: str
    #: Code before the program: imports that the data set promises, or its prompt.
    prelude: str = ""
    #: Code before the tests.
    setup: str = ""
    limits: Limits = Limits()


Answer = Stdio | Functional | Asserts


def parse(answer: Any, *, where: str = "") -> Answer:
    """A task's answer; raises DataError naming what does not fit."""
    try:
        parsed: Answer = msgspec.convert(answer, Answer)
        return parsed
    except msgspec.ValidationError as error:
        raise DataError(f"not the answer of a code task: {error}", where=where) from None
