"""What a chain of values says: `1/3 = 2/6`, `x = 1/3 \\approx 0.333`. One value, or it says nothing."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from fractions import Fraction

from harness_math.evaluate import Inexact, exact, variables
from harness_math.nodes import Mul, Node, Num, Pow, Quantity, walk
from harness_math.same import Same
from harness_math.values import orderable

#: How far beyond half of its last digit a rounded value may lie, as a part of that half.
_SLACK = 1 + 1e-6


def said(
    values: Sequence[Node],
    ops: Sequence[str],
    right: Callable[[Node], bool | None],
    same: Same,
    *,
    named: bool,
) -> bool | None:
    """Whether a chain says what `right` accepts: the last of its exact members, or what that one rounds to
    behind a sign of approximation. Where no name stands before it, members that differ make it two answers
    and so none; behind a name the last one is the value."""
    exact_end = ops.index("~") if "~" in ops else len(ops)
    head, rounded = values[: exact_end + 1], values[exact_end + 1 :]
    if not named and any(_contradict(a, b, same) for a, b in itertools.pairwise(head)):
        return False
    result = right(head[-1])
    if result is True or any(rounds_to(head[-1], value) and right(value) for value in rounded):
        return True
    return result


def _contradict(before: Node, after: Node, same: Same) -> bool:
    """Whether two members of a chain of equations are different values."""
    return (
        same(before, after) is False
        and same(after, before) is False
        and not (_is_decimal(after) and rounds_to(before, after))
        and not (_is_decimal(before) and rounds_to(after, before))
    )


def _is_decimal(node: Node) -> bool:
    return any(isinstance(part, Num) and part.decimals is not None for part in walk(node))


def rounds_to(value: Node, literal: Node) -> bool:
    """Whether a literal is what an exact value rounds to. An integer rounds no number that was written
    out in digits: `96.4 \\\\approx 96` would be two answers."""
    value, literal = (node.value if isinstance(node, Quantity) else node for node in (value, literal))
    last = _last_digit(literal)
    size, given = orderable(value), orderable(literal)
    if last is None or size is None or given is None or variables(value):
        return False
    if last >= 1 and _is_digits(value):
        return False
    return abs(size - given) <= float(last) / 2 * _SLACK


def _is_digits(node: Node) -> bool:
    """Whether a value is a number written out, or is one: `97`, `-97.5`, `97/1`."""
    if isinstance(node, Num):
        return True
    try:
        known = exact(node)
    except Inexact:
        return False
    return known.denominator == 1 or _is_decimal(node)


def _last_digit(node: Node) -> Fraction | None:
    """The place of the last digit of a literal: 1/100 for 0.33, 10^4 for 1.23 x 10^6; None for others."""
    match node:
        case Num(_, decimals):
            return Fraction(1, 10 ** (decimals or 0))
        case Mul((Num(_, decimals), Pow(Num(base, None), Num(power, None)))) if (
            base == 10 and abs(power) < 300
        ):
            ten = Fraction(10 ** abs(int(power)), 10 ** (decimals or 0))
            return ten if power >= 0 else Fraction(1, 10 ** (abs(int(power)) + (decimals or 0)))
        case Mul((Num(value, None), rest)) if value == -1:
            return _last_digit(rest)
    return None
