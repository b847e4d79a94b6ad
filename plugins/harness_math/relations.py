"""Equations and inequalities: names that may be left out, conditions that may not."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Final

from harness_math.chains import said
from harness_math.evaluate import numeric, variables
from harness_math.intervals import as_intervals, ascending, intervals
from harness_math.names import is_name
from harness_math.nodes import (
    Add,
    Div,
    Mul,
    Node,
    Num,
    Opaque,
    Pow,
    Relation,
    Sym,
    Unreadable,
    Words,
    substituted,
    walk,
)
from harness_math.same import Same, every
from harness_math.values import RELATIVE, close, orderable, points


def relations(gold: Node, prediction: Node, same: Same) -> bool | None:
    if _implies(gold) or _implies(prediction) or (_leads(gold) and _leads(prediction)):
        return _same_members(gold, prediction, same)
    ours, theirs = _Equation.of(gold), _Equation.of(prediction)
    if ours is None and theirs is None:
        return inequalities(gold, prediction, same)
    if isinstance(gold, Relation) and isinstance(prediction, Relation):
        if ours is None or theirs is None:
            return False
        return _equations(ours, theirs, same)
    if ours is not None:
        # The gold names what it gives: the name may be left out, a condition may not.
        if not ours.named and ours.closed:
            # Without unknowns every member says the same.
            return same(ours.first, prediction) or same(ours.value, prediction)
        return (
            said(ours.values, ours.ops, lambda value: same(value, prediction), same, named=True)
            if ours.named
            else False
        )
    assert theirs is not None
    if theirs.named or theirs.closed or not (variables(gold) or _is_multiple(theirs.first)):
        return said(theirs.values, theirs.ops, lambda value: same(gold, value), same, named=theirs.named)
    return False


def _is_multiple(node: Node) -> bool:
    """Whether a member is a power or a multiple of one name: `x^2 = 2` and `2x = 10` are yet to be solved."""
    if isinstance(node, Mul) and any(isinstance(factor, Num) for factor in node.factors):
        return len(node.factors) == 2 and len(variables(node)) == 1 and not isinstance(node.factors[1], Add)
    return isinstance(node, Pow) and isinstance(node.base, Sym) and not variables(node.exponent)


def _implies(node: Node) -> bool:
    return isinstance(node, Relation) and "=>" in node.ops


def _leads(node: Node) -> bool:
    return isinstance(node, Relation) and "->" in node.ops


def _same_members(gold: Node, prediction: Node, same: Same) -> bool | None:
    if not isinstance(gold, Relation) or not isinstance(prediction, Relation) or gold.ops != prediction.ops:
        return False
    return every([same(a, b) for a, b in zip(gold.members, prediction.members, strict=True)])


@dataclass(frozen=True, slots=True)
class _Equation:
    first: Node
    value: Node
    #: Whether the first member is a name for the last: letters without numbers, or text.
    named: bool
    #: Whether the first member is a computation without unknowns.
    closed: bool
    #: What the chain says the value is, from left to right, and the signs between.
    values: tuple[Node, ...]
    ops: tuple[str, ...]

    @classmethod
    def of(cls, node: Node) -> _Equation | None:
        if not isinstance(node, Relation) or any(op not in ("=", "~", "->", "≡") for op in node.ops):
            return None
        # What stands before an approximation is exact: x = 1/3 ~ 0.333.
        exact = node.ops.index("~") if "~" in node.ops[1:] else len(node.ops)
        first, last = node.members[0], node.members[max(exact, 1)]
        values, ops = node.members[1:], node.ops[1:]
        unreadable = isinstance(first, Opaque)
        if not is_name(first) and not unreadable and is_name(last) and len(node.members) == 2:
            first, last = last, first
            values = (last,)
        named, closed = is_name(first), unreadable or not variables(first)
        if closed and not named and not unreadable:
            values, ops = node.members, node.ops
        return cls(first, last, named, closed, values, ops)


def _equations(ours: _Equation, theirs: _Equation, same: Same) -> bool | None:
    theirs = _renamed(ours, theirs)
    if isinstance(ours.first, Opaque) or isinstance(theirs.first, Opaque):
        return same(ours.value, theirs.value)
    if ours.named and theirs.named and (ours.first == theirs.first or _free_name(ours, theirs)):
        return said(
            theirs.values,
            theirs.ops,
            lambda value: said(ours.values, ours.ops, lambda mine: same(mine, value), same, named=True),
            same,
            named=True,
        )
    if theirs.closed and (ours.named or ours.closed):
        return said(
            theirs.values, theirs.ops, lambda value: same(ours.value, value), same, named=theirs.named
        )
    result = _proportional(ours, theirs)
    if result is None:
        # No values to compare: member by member, either way round.
        straight = every([same(ours.first, theirs.first), same(ours.value, theirs.value)])
        return straight or every([same(ours.first, theirs.value), same(ours.value, theirs.first)])
    return result


#: A function's name and its only argument: `f(x)`.
_CALL: Final = re.compile(r"([A-Za-z]+'*)\(([a-zA-Z])\)")
_NUMBERED: Final = re.compile(r"_\d$")


def _renamed(ours: _Equation, theirs: _Equation) -> _Equation:
    """`f(t) = t^2` as `f(x) = x^2`, where the other side calls the argument x."""
    match ours.first, theirs.first:
        case Sym(mine), Sym(yours) if mine != yours:
            known, other = _CALL.fullmatch(mine), _CALL.fullmatch(yours)
            if known is not None and other is not None and known[1] == other[1]:
                if any(known[2] in variables(value) for value in theirs.values):
                    return theirs
                values = tuple(substituted(value, other[2], Sym(known[2])) for value in theirs.values)
                return replace(theirs, first=ours.first, value=values[-1], values=values)
    return theirs


def _free_name(ours: _Equation, theirs: _Equation) -> bool:
    """`y` and `f(x)` both name a function of x; `x_1` is an `x`; text names anything."""
    names = [e.first for e in (ours, theirs)]
    match names:
        case [Sym(mine), Sym(yours)]:
            if _NUMBERED.sub("", mine) == yours or mine == _NUMBERED.sub("", yours):
                return True
            if mine.endswith(")") and yours.endswith(")"):
                return False
    if any(isinstance(n, Words) or (isinstance(n, Sym) and " " in n.name) for n in names):
        return True
    functions = [isinstance(n, Sym) and (n.name == "y" or n.name.endswith(")")) for n in names]
    return all(functions) and bool(variables(ours.value))


def _proportional(ours: _Equation, theirs: _Equation) -> bool | None:
    """Whether two equations have the same solutions: their differences are proportional."""
    try:
        return _ratio(_cleared(ours.first, ours.value), _cleared(theirs.first, theirs.value)) is not None
    except Unreadable:
        return None


def _difference(left: Node, right: Node) -> Node:
    return Add((left, Mul((Num(Fraction(-1)), right))))


def _cleared(left: Node, right: Node) -> Node:
    """What an equation says is zero, times the denominators that hold names."""
    difference = _difference(left, right)
    bottoms = {part.bottom for part in walk(difference) if isinstance(part, Div) and variables(part.bottom)}
    return Mul((difference, *sorted(bottoms, key=repr))) if bottoms else difference


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
        if abs(ratios[0] - ratios[-1]) > RELATIVE * abs(ratios[0]):
            return None
        if len(ratios) == 4:
            return ratios[0]
    if len(ratios) < 2:
        raise Unreadable("no common points")
    return ratios[0]


def inequalities(gold: Node, prediction: Node, same: Same) -> bool | None:
    if _other_unknown(gold, prediction):
        return False
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


def _other_unknown(gold: Node, prediction: Node) -> bool:
    """Whether two inequalities are of one unknown each, and not of the same."""
    if not isinstance(gold, Relation) or not isinstance(prediction, Relation):
        return False
    ours, theirs = variables(gold) - {"?"}, variables(prediction) - {"?"}
    return len(ours) == len(theirs) == 1 and ours != theirs


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
