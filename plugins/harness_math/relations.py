"""Equations and inequalities: names that may be left out, conditions that may not."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from harness_math.evaluate import numeric, variables
from harness_math.intervals import as_intervals, ascending, intervals
from harness_math.names import is_name
from harness_math.nodes import Add, Mul, Node, Num, Opaque, Relation, Sym, Unreadable, Words
from harness_math.same import Same, every
from harness_math.values import close, orderable, points


def relations(gold: Node, prediction: Node, same: Same) -> bool | None:
    ours, theirs = _Equation.of(gold), _Equation.of(prediction)
    if ours is None and theirs is None:
        return inequalities(gold, prediction, same)
    if isinstance(gold, Relation) and isinstance(prediction, Relation):
        if ours is None or theirs is None:
            return False
        return _equations(ours, theirs, same)
    if ours is not None:
        # The gold names what it gives: the name may be left out, a condition may not.
        if ours.named or not ours.closed:
            return same(ours.value, prediction) if ours.named else False
        # Without unknowns every member says the same.
        return same(ours.first, prediction) or same(ours.value, prediction)
    assert theirs is not None
    if theirs.named or theirs.closed or not variables(gold):
        if (
            theirs.closed
            and isinstance(prediction, Relation)
            and "~" in prediction.ops
            and same(gold, theirs.first)
        ):
            return True
        return same(gold, theirs.value)
    return False


@dataclass(frozen=True, slots=True)
class _Equation:
    first: Node
    value: Node
    #: Whether the first member is a name for the last: letters without numbers, or text.
    named: bool
    #: Whether the first member is a computation without unknowns.
    closed: bool

    @classmethod
    def of(cls, node: Node) -> _Equation | None:
        if not isinstance(node, Relation) or any(op not in ("=", "~", "->") for op in node.ops):
            return None
        # What stands before an approximation is exact: x = 1/3 ~ 0.333.
        exact = node.ops.index("~") if "~" in node.ops[1:] else len(node.ops)
        first, last = node.members[0], node.members[max(exact, 1)]
        if not is_name(first) and is_name(last) and len(node.members) == 2:
            first, last = last, first
        unreadable = isinstance(first, Opaque)
        return cls(first, last, is_name(first), unreadable or not variables(first))


def _equations(ours: _Equation, theirs: _Equation, same: Same) -> bool | None:
    if isinstance(ours.first, Opaque) or isinstance(theirs.first, Opaque):
        return same(ours.value, theirs.value)
    if ours.named and theirs.named and (ours.first == theirs.first or _free_name(ours, theirs)):
        return same(ours.value, theirs.value)
    if theirs.closed and (ours.named or ours.closed):
        return same(ours.value, theirs.value)
    result = _proportional(ours, theirs)
    if result is None and ours.first == theirs.first:
        return same(ours.value, theirs.value)
    return result


def _free_name(ours: _Equation, theirs: _Equation) -> bool:
    """`y` and `f(x)` both name a function of x; text names anything."""
    names = [e.first for e in (ours, theirs)]
    if any(isinstance(n, Words) or (isinstance(n, Sym) and " " in n.name) for n in names):
        return True
    functions = [isinstance(n, Sym) and (n.name == "y" or n.name.endswith(")")) for n in names]
    return all(functions) and bool(variables(ours.value))


def _proportional(ours: _Equation, theirs: _Equation) -> bool | None:
    """Whether two equations have the same solutions: their differences are proportional."""
    try:
        return (
            _ratio(_difference(ours.first, ours.value), _difference(theirs.first, theirs.value)) is not None
        )
    except Unreadable:
        return None


def _difference(left: Node, right: Node) -> Node:
    return Add((left, Mul((Num(Fraction(-1)), right))))


def _ratio(ours: Node, theirs: Node) -> complex | None:
    """The constant that one expression is of the other; None when there is none."""
    names = variables(ours) | variables(theirs)
    if not names:
        return None
    ratios: list[complex] = []
    for point in points(names, signed=True, tries=8):
        try:
            a, b = numeric(ours, point), numeric(theirs, point)
        except Unreadable:
            continue
        if abs(b) < 1e-9 or abs(a) < 1e-9:
            return None
        ratios.append(a / b)
        if not close(ratios[0], ratios[-1]):
            return None
        if len(ratios) == 4:
            return ratios[0]
    if len(ratios) < 2:
        raise Unreadable("no common points")
    return ratios[0]


def inequalities(gold: Node, prediction: Node, same: Same) -> bool | None:
    result = as_intervals(gold, prediction, same)
    if result is None:
        result = _membership(gold, prediction)
    if result is not None:
        return result
    if not isinstance(gold, Relation) or not isinstance(prediction, Relation):
        return False
    ours, theirs = ascending(gold), ascending(prediction)
    if ours.ops != theirs.ops:
        return False
    if len(ours.ops) > 1:
        return every([same(a, b) for a, b in zip(ours.members, theirs.members, strict=True)])
    try:
        ratio = _ratio(_difference(*ours.members), _difference(*theirs.members))
    except Unreadable:
        return None
    return ratio is not None and abs(ratio.imag) < 1e-9 and ratio.real > 0


def _membership(gold: Node, prediction: Node) -> bool | None:
    """An inequality that is not solved (|x| < 3) against spans: whether it holds inside them and
    fails outside, at their ends, beside them and between."""
    spans, relation = intervals(gold), prediction
    if spans is None:
        spans, relation = intervals(prediction), gold
    if spans is None or not isinstance(relation, Relation) or len(variables(relation)) != 1:
        return None
    ends = [(orderable(low), low_in, orderable(high), high_in) for low, low_in, high, high_in in spans]
    known = sorted({e for low, _, high, _ in ends for e in (low, high) if e is not None and math.isfinite(e)})
    if not known or any(low is None or high is None for low, _, high, _ in ends):
        return None
    between = [(a + b) / 2 for a, b in itertools.pairwise(known)]
    beside = [e + d * max(1.0, abs(e)) for e in known for d in (-3.7, -0.61, -1e-6, 0.0, 1e-6, 0.61, 3.7)]
    (name,) = variables(relation)
    for x in (*known, *between, *beside):
        inside = any(
            low is not None
            and high is not None
            and (low < x < high or (x == low and low_in) or (x == high and high_in))
            for low, low_in, high, high_in in ends
        )
        holds = _holds(relation, {name: x})
        if holds is None:
            return None
        if holds != inside:
            return False
    return True


def _holds(relation: Relation, at: Mapping[str, complex]) -> bool | None:
    """Whether a chain of inequalities holds at a point; outside of its domain it does not."""
    try:
        values = [numeric(member, at) for member in relation.members]
    except Unreadable:
        return False
    if any(abs(value.imag) > 1e-9 for value in values):
        return False
    for op, a, b in zip(relation.ops, values, values[1:], strict=False):
        difference = 0.0 if close(a, b) else a.real - b.real
        if op not in _HOLDS:
            return None
        if not _HOLDS[op](difference):
            return False
    return True


_HOLDS: Final[Mapping[str, Callable[[float], bool]]] = {
    "<": lambda d: d < 0,
    ">": lambda d: d > 0,
    "<=": lambda d: d <= 0,
    ">=": lambda d: d >= 0,
    "!=": lambda d: d != 0,
}
