"""How the published harness finds a program and compares its output, faults included; outside the sandbox.

Rules read from `extraction_utils.py` and `testing_util.py` of LiveCodeBench at 28fef95.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any

from harness_code import compare

FENCE = "```"


def fenced(text: str) -> str:
    """What stands between the last two lines with three backticks; empty if there are not two, so that
    a stray fence after the answer moves what is taken for it."""
    lines = text.split("\n")
    fences = [number for number, line in enumerate(lines) if FENCE in line]
    return "\n".join(lines[fences[-2] + 1 : fences[-1]]) if len(fences) > 1 else ""


def output_differs(output: str, expected: str) -> str | None:
    """Where an output first differs from the right one; None if it does not.

    As many lines, each equal without the space around it, or all of its words decimals of equal value:
    `1` is `1.0`, digits of any script are digits, and there is no tolerance.
    """
    mine, theirs = _lines(output), _lines(expected)
    if len(mine) != len(theirs):
        return f"{len(mine)} lines where {len(theirs)} are right"
    for number, (one, other) in enumerate(zip(mine, theirs, strict=True), 1):
        if one != other and not _same_decimals(one, other):
            return f"line {number}: {one[:80]!r} where {other[:80]!r} is right"
    return None


def value_differs(value: Any, expected: Any) -> str | None:
    """Python's own `==`, without tolerance: True is 1, and a tuple inside a list is no list."""
    return compare.equal(value, expected)


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.strip().split("\n")]


def _same_decimals(one: str, other: str) -> bool:
    try:
        return [Decimal(word) for word in one.split()] == [Decimal(word) for word in other.split()]
    except (InvalidOperation, ValueError):
        # A signalling NaN cannot be compared: an error there, and no pass.
        return False
