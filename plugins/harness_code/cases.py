"""What a code task's `answer` holds: how the program is asked, and what is right.

Four forms: programs that read and print (`Stdio`), functions that are called (`Functional`, `Checked`), and
tests written as asserts (`Asserts`). Limits hold per test.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import msgspec
from harness_runner import values

from harness.contract import DataError


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits of one test: seconds of CPU, seconds of the clock, MiB, bytes of output."""

    cpu_seconds: float = 6.0
    #: The clock's limit is generous: a busy host must not fail a program that was quick.
    wall_seconds: float = 18.0
    memory_mb: int = 512
    #: Most bytes of stdout and of stderr, each; and of the values of all calls together.
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
    #: Source of `check(input, output, expected) -> bool` if several outputs are right; it runs in a
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


class Checked(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="checked", forbid_unknown_fields=True
):
    """A function that is called with any plain values, tuples and sets among them, and one oracle for all
    that it returns."""

    entry_point: str
    #: JSON text of `[[arguments, expected], ...]`, each value as `harness_runner.values.pack` makes it.
    calls: str
    #: A rule of `oracles.ORACLES`.
    oracle: str = "plus"
    #: Absolute; 0 compares exactly, but floats to 1e-6.
    tolerance: float = 0.0
    prelude: str = ""
    limits: Limits = Limits()

    def tests(self) -> tuple[tuple[tuple[Any, ...], Any], ...]:
        """(arguments, expected) of each call; raises ValueError if the text is not what `pack` makes."""
        return _calls(self.calls)


@lru_cache(maxsize=512)
def _calls(text: str) -> tuple[tuple[tuple[Any, ...], Any], ...]:
    pairs = values.unpack(json.loads(text))
    return tuple((tuple(arguments), expected) for arguments, expected in pairs)


Answer = Stdio | Functional | Asserts | Checked


def parse(answer: Any, *, where: str = "") -> Answer:
    """A task's answer; raises DataError naming what does not fit."""
    try:
        parsed: Answer = msgspec.convert(answer, Answer)
        return parsed
    except msgspec.ValidationError as error:
        raise DataError(f"not the answer of a code task: {error}", where=where) from None
