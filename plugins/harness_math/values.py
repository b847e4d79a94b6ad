"""Whether two expressions have the same value.

Rational values are compared exactly, other closed forms to fifty digits (`precise`). Expressions with
names are compared at points: two different ones that agree to nine digits at several unrelated points
do not occur in answers. Variables stand for positive reals, as they do where nothing else is said;
where an absolute value occurs, also for negative ones; where a value goes in steps, for whole numbers
(`stepped`). A decimal is what it says, except that it may stand for an exact value that it rounds.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any, Final

from harness_math import precise
from harness_math.evaluate import LOG_BASE, Inexact, exact, has_sign_choice, numeric, variables
from harness_math.nodes import CostBound, Fn, Inf, Mul, Node, Num, Unreadable, mapped, walk
from harness_math.stepped import goes_in_steps, same_in_steps

#: Relative and absolute agreement of floating-point values.
RELATIVE: Final = 1e-9
ABSOLUTE: Final = 1e-11
#: Relative difference that the rounding of double precision may leave.
NOISE: Final = 1e-14
#: Floating-point values below this may be what rounding left of nothing.
TINY: Final = 1e-3
#: Significant digits from which a decimal may stand for a value that it rounds: in the gold, where the
#: data chose to round, and in a prediction, which must be as good as exact.
GOLD_DIGITS: Final = 3
PREDICTION_DIGITS: Final = 6
_POINTS: Final = 4
_TRIES: Final = 10


def same_value(gold: Node, prediction: Node, tolerance: float | None = None) -> bool | None:
    """None when it cannot be told.

    Raises:
        CostBound: telling would cost too much.
    """
    if has_sign_choice(gold) or has_sign_choice(prediction):
        return _same_choices(gold, prediction)
    try:
        known = (_exact(gold), _exact(prediction))
        if isinstance(known[0], Fraction) and isinstance(known[1], Fraction):
            if known[0] == known[1]:
                return True
            return _rounds(gold, prediction, known[0], known[1], tolerance)
        if goes_in_steps(gold) or goes_in_steps(prediction):
            return same_in_steps(gold, prediction)
        return _same_at_points(gold, prediction, tolerance)
    except Unreadable:
        return None


def _exact(node: Node) -> Fraction | None:
    try:
        return exact(node)
    except Inexact:
        return None


def _same_choices(gold: Node, prediction: Node) -> bool | None:
    """Expressions with plus-minus: both have the same two values."""
    try:
        for point in points(variables(gold) | variables(prediction)):
            ours = [numeric(gold, point, sign) for sign in (1, -1)]
            theirs = [numeric(prediction, point, sign) for sign in (1, -1)]
            alike = [
                _alike(gold, prediction, point, ours[i], theirs[j], (1 - 2 * i, 1 - 2 * j))
                for i, j in ((0, 0), (1, 1), (0, 1), (1, 0))
            ]
            if not (alike[0] and alike[1]) and not (alike[2] and alike[3]):
                return False
    except Unreadable:
        return None
    return True


def _same_at_points(gold: Node, prediction: Node, tolerance: float | None) -> bool | None:
    names = variables(gold) | variables(prediction)
    parts = [*walk(gold), *walk(prediction)]
    signed = any(isinstance(part, Fn) and part.name == "abs" for part in parts)
    bases: list[float] = (
        [math.e, 10.0]
        if any(isinstance(p, Fn) and p.name == "log" and len(p.args) == 1 for p in parts)
        else [0.0]
    )
    answers = [_agree(gold, prediction, names, signed, base, tolerance) for base in bases]
    if True in answers:
        return True
    return None if None in answers else False


def _agree(
    gold: Node, prediction: Node, names: set[str], signed: bool, base: float, tolerance: float | None
) -> bool | None:
    met = 0
    for point in points(names, signed=signed, tries=_TRIES):
        if base:
            point[LOG_BASE] = base
        try:
            ours, theirs = numeric(gold, point), numeric(prediction, point)
        except CostBound:
            if names:
                raise
            # Too large for floating point, and perhaps small again in a denominator.
            return not precise.differ(gold, prediction, point, (1, 1), 0.0)
        except Unreadable:
            if not names:
                return None
            continue
        if not _alike(gold, prediction, point, ours, theirs) and not _within_decimals(
            gold, prediction, point, ours, theirs
        ):
            if names or abs(ours.imag) > RELATIVE or abs(theirs.imag) > RELATIVE:
                return False
            if not math.isfinite(ours.real) or not math.isfinite(theirs.real):
                return False
            return _rounds(gold, prediction, ours.real, theirs.real, tolerance)
        met += 1
        if met == _POINTS or not names:
            return True
    return True if met >= 2 else None


def _within_decimals(
    gold: Node, prediction: Node, point: Mapping[str, complex], ours: complex, theirs: complex
) -> bool:
    """Whether an exact prediction lies within what the decimals inside the gold leave open."""
    literals = [n for n in walk(gold) if isinstance(n, Num) and n.decimals is not None]
    if isinstance(gold, Num) or not literals or _any_decimal(prediction):
        return False
    if any((_decimals(literal) or (0, 0))[0] <= GOLD_DIGITS for literal in literals):
        return False
    return abs(ours - theirs) <= abs(numeric(_shifted(gold), point) - ours) * 1.001


def _shifted(node: Node) -> Node:
    """The expression with each decimal moved by half of its last digit."""
    if isinstance(node, Num) and node.decimals is not None:
        return Num(node.value + Fraction(1, 2) / 10**node.decimals, node.decimals)
    return mapped(node, _shifted)


def _alike(
    gold: Node,
    prediction: Node,
    point: Mapping[str, complex],
    ours: complex,
    theirs: complex,
    sign: tuple[int, int] = (1, 1),
) -> bool:
    """Whether two values are the same: closed forms to fifty digits, others to nine."""
    distance, size = abs(ours - theirs), max(abs(ours), abs(theirs))
    if not math.isfinite(size):
        return ours == theirs
    if distance > ABSOLUTE + RELATIVE * size:
        return False
    rounded = _any_decimal(gold) or _any_decimal(prediction)
    named = any(name != LOG_BASE for name in point)
    near = RELATIVE if rounded else NOISE
    if (named or rounded) and size > TINY and distance <= near * size:
        return True
    if gold == prediction:
        return True
    try:
        return not precise.differ(gold, prediction, point, sign, RELATIVE if rounded else 0.0)
    except Unreadable:
        return distance <= RELATIVE * size


def close(a: complex, b: complex) -> bool:
    """Whether two floating-point values are the same as far as they can say."""
    if a == b:
        return True
    return (
        abs(a - b) <= ABSOLUTE + RELATIVE * max(abs(a), abs(b))
        and math.isfinite(abs(a))
        and math.isfinite(abs(b))
    )


@functools.lru_cache(256)
def _coordinates(tries: int, count: int, signed: bool) -> Sequence[Sequence[float]]:
    # Multiples of irrationals modulo an interval: unrelated, reproducible, away from 0 and 1.
    rows = []
    for row in range(tries):
        values = [
            0.37 + 2.4 * math.modf((row * 7 + i + 1) * math.sqrt(2 + 3 * i) + 0.113 * row)[0]
            for i in range(count)
        ]
        rows.append([-v if signed and (row + i) % 2 else v for i, v in enumerate(values)])
    return rows


def points(names: set[str], *, signed: bool = False, tries: int = _POINTS) -> Iterator[dict[str, complex]]:
    """Points to compare at: one value a name, positive unless `signed`."""
    ordered = sorted(names)
    for row in _coordinates(tries if ordered else 1, len(ordered), signed):
        yield dict(zip(ordered, row, strict=True))


def _rounds(
    gold: Node, prediction: Node, ours: Fraction | float, theirs: Fraction | float, tolerance: float | None
) -> bool:
    """Whether unequal numbers are as near as the data, or a decimal's own digits, allow."""
    distance: Any = abs(ours - theirs)
    if tolerance is not None:
        return bool(distance <= tolerance * (1 + 1e-9))
    decimal = _decimals(gold)
    if decimal is not None and decimal[0] >= GOLD_DIGITS:
        finer = (_decimals(prediction) or (0, 0))[1] > decimal[1]
        free = not _any_decimal(prediction) or (finer and decimal[0] > GOLD_DIGITS)
        if (free or decimal[0] >= PREDICTION_DIGITS) and distance <= Fraction(1, 2) / 10 ** decimal[1]:
            return True
    decimal = _decimals(prediction)
    if decimal is not None and decimal[0] >= PREDICTION_DIGITS and not _any_decimal(gold):
        return bool(distance <= Fraction(1) / 10 ** decimal[1])
    return False


def _any_decimal(node: Node) -> bool:
    return any(isinstance(part, Num) and part.decimals is not None for part in walk(node))


def _decimals(node: Node) -> tuple[int, int] | None:
    """Significant digits and decimal places of a decimal literal; None for anything else."""
    if isinstance(node, Num) and node.decimals is not None:
        digits = str(abs(node.value.numerator * 10**node.decimals // node.value.denominator))
        return len(digits.lstrip("0")), node.decimals
    return None


def orderable(node: Node, at: Mapping[str, complex] | None = None) -> float | None:
    """The real value of a closed expression, for ordering; None when it has none."""
    if isinstance(node, Inf):
        return math.inf
    if isinstance(node, Mul) and node.factors == (Num(Fraction(-1)), Inf()):
        return -math.inf
    if variables(node) and at is None:
        return None
    try:
        value = numeric(node, at or {})
    except Unreadable:
        return None
    return value.real if abs(value.imag) <= ABSOLUTE else None
