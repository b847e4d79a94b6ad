"""Oracles of EvalPlus: by what rule a returned value is right, test by test.

The rules are those of evalplus 0.3.1 (`evalplus/eval/__init__.py`, `_special_oracle.py`), with three
differences, all in favour of what evalplus documents: a tolerance does not stay for later tests, a root of
a polynomial is looked for (evalplus 0.3.1 passes no program on HumanEval/32), and a root is also right where
it is the reference's own.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from harness_runner.values import Opaque

from harness_code.compare import ValueRule, show

#: What EvalPlus allows floats if a problem states no tolerance.
FLOATS: Final = 1e-6
#: Relative tolerance beside every absolute one, as in numpy's assert_allclose.
RELATIVE: Final = 1e-7


def plus(value: Any, expected: Any, tolerance: float = 0.0) -> str | None:
    """Equal; or, where there is a tolerance or floats are expected, of one type and numerically close."""
    if not isinstance(value, Opaque) and value == expected:
        return None
    allowed = tolerance or (FLOATS if _floats(expected) else 0.0)
    if allowed and type(value) is type(expected) and _near(value, expected, allowed):
        return None
    return f"{show(value)} where {show(expected)} is right"


def one_of(value: Any, expected: Any, tolerance: float = 0.0) -> str | None:
    """As `plus`, against any of the alternatives in `expected`."""
    faults = [plus(value, alternative, tolerance) for alternative in expected]
    return None if None in faults else f"{show(value)} is none of {show(expected)}"


def as_set(value: Any, expected: Any, tolerance: float = 0.0) -> str | None:
    """The same items, whatever their order and number."""
    try:
        same = not isinstance(value, Opaque) and set(value) == set(expected)
    except TypeError:
        same = False
    return None if same else f"{show(value)} has other items than {show(expected)}"


def matched(value: Any, expected: Any, tolerance: float = 0.0) -> str | None:
    """Whether there is a match: a truth value, or anything that is not None."""
    said = value if isinstance(value, bool) else value is not None
    return None if said == expected else f"{show(value)} where a match is {show(expected)}"


def anything(value: Any, expected: Any, tolerance: float = 0.0) -> str | None:
    """Whatever is returned: the problem's own answers contradict each other."""
    return None


def root(value: Any, expected: Any, tolerance: float = 1e-4) -> str | None:
    """A root of the polynomial `expected[0]` (coefficients from the constant on), to `tolerance` in its
    value; or, for polynomials so steep that none of 64 bits is, the reference's root `expected[1]`."""
    coefficients, reference = expected
    if isinstance(value, bool) or not isinstance(value, int | float):
        return f"{show(value)} is no number"
    try:
        height = sum(c * math.pow(value, i) for i, c in enumerate(coefficients))
    except OverflowError:
        height = math.inf
    if abs(height) <= tolerance or (isinstance(reference, int | float) and _near(value, reference, FLOATS)):
        return None
    return f"{show(value)} is no root: the polynomial is {height:.3g} there"


def _floats(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return bool(value) and all(isinstance(item, float) for item in value)
    return isinstance(value, float)


def _near(value: Any, expected: Any, tolerance: float) -> bool:
    """As numpy.allclose with `RELATIVE`, item by item."""
    if isinstance(value, list | tuple) and isinstance(expected, list | tuple):
        return len(value) == len(expected) and all(
            _near(one, other, tolerance) for one, other in zip(value, expected, strict=True)
        )
    if not isinstance(value, int | float) or not isinstance(expected, int | float):
        return False
    try:
        one, other = float(value), float(expected)
    except OverflowError:  # an integer beyond all floats
        return value == expected
    if one == other:
        return True
    return abs(one - other) <= tolerance + RELATIVE * abs(other) and math.isfinite(other)


ORACLES: Final[Mapping[str, ValueRule]] = {
    "plus": plus, "one-of": one_of, "set": as_set, "matched": matched, "anything": anything, "root": root,
}  # fmt: skip
