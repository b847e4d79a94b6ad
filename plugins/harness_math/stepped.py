"""Values that go in steps: floors, ceilings, remainders, divisors, powers of minus one.

Such expressions agree between two steps whatever they say beyond, so they are compared at whole numbers
of every size, and at fractions where a name is no usual one of whole numbers.
"""

from __future__ import annotations

import functools
import random
from fractions import Fraction
from typing import Final

from harness_math.evaluate import SERIES, Inexact, exact, numeric, variables
from harness_math.nodes import CostBound, Fn, Node, Num, Pow, Unreadable, substituted, walk

_STEPS: Final = frozenset({"floor", "ceil", "mod", "gcd", "lcm", *SERIES})
#: Functions whose arguments are whole numbers whatever their names.
_OF_WHOLE: Final = frozenset({"mod", "gcd", "lcm", "factorial", "binom"})
#: Letters that mean whole numbers where nothing else is said.
_WHOLE: Final = frozenset("jklmnpqrKLMN")
_SIZES: Final = (4, 12, 40, 150, 1000, 50_000, 10**6, 10**9)
#: Points tried, and how many of them must have a value on both sides.
_ROWS: Final = 40
_NEEDED: Final = 8
_RELATIVE: Final = 1e-9


def goes_in_steps(node: Node) -> bool:
    """Whether a value goes in steps as its names change: a floor, a remainder, `(-1)^n`."""
    return any(
        (isinstance(part, Fn) and part.name in _STEPS and variables(part))
        or (isinstance(part, Pow) and variables(part.exponent) and _is_negative(part.base))
        for part in walk(node)
    )


def _is_negative(node: Node) -> bool:
    return isinstance(node, Num) and node.value < 0


def same_in_steps(gold: Node, prediction: Node) -> bool | None:
    """Whether two expressions agree wherever both have a value; None when they have too few."""
    names = sorted(variables(gold) | variables(prediction))
    whole = {name for name in names if name[0] in _WHOLE} | _arguments(gold) | _arguments(prediction)
    met = 0
    for row in range(_ROWS):
        ours, theirs = (_at(node, names, whole, row) for node in (gold, prediction))
        if ours is None or theirs is None:
            continue
        if isinstance(ours, Fraction) and isinstance(theirs, Fraction):
            if ours != theirs:
                return False
        else:
            a, b = complex(ours), complex(theirs)
            if abs(a - b) > _RELATIVE * max(abs(a), abs(b)):
                return False
        met += 1
    return True if met >= _NEEDED else None


def _arguments(node: Node) -> set[str]:
    """Names inside functions of whole numbers."""
    return {
        name
        for part in walk(node)
        if (isinstance(part, Fn) and part.name in _OF_WHOLE)
        or (isinstance(part, Pow) and _is_negative(part.base))
        for name in variables(part)
    } | {
        name
        for part in walk(node)
        if isinstance(part, Fn) and part.name in SERIES
        for limit in part.args[:2]
        for name in variables(limit)
    }


def _at(node: Node, names: list[str], whole: set[str], row: int) -> Fraction | complex | None:
    """The value at one point, exact where it is rational; None if there is none."""
    point = {name: _value(i, row, name in whole) for i, name in enumerate(names)}
    for name, value in point.items():
        node = substituted(node, name, Num(value))
    try:
        return exact(node)
    except (Inexact, CostBound):
        pass
    try:
        return numeric(node, {})
    except (Unreadable, CostBound):
        return None


@functools.lru_cache(1024)
def _value(column: int, row: int, whole: bool) -> Fraction:
    """The first rows are small and common divisors are many; later ones are of every size."""
    chance = random.Random(7919 * column + row)
    size = _SIZES[row % len(_SIZES)] if row >= 16 else 12 + row
    value = Fraction(chance.randint(1, size))
    return value if whole else value + Fraction(chance.randint(0, 6), 7)
