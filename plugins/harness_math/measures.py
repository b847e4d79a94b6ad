"""Numbers with units, percentages, angles and digits in a base."""

from __future__ import annotations

from fractions import Fraction

from harness_math.nodes import Based, Fn, Mul, Node, Num, Quantity, Sym, walk
from harness_math.same import Same, Terms
from harness_math.units import unit
from harness_math.values import orderable, same_value


def quantities(gold: Node, prediction: Node, same: Same, terms: Terms) -> bool | None:
    ours, our_unit = _split(gold)
    theirs, their_unit = _split(prediction)
    our_unit = our_unit or terms.unit or ""
    mine, yours = unit(our_unit), unit(their_unit)
    if mine is None or yours is None:
        # No unit, or one that says nothing about size, on one side.
        percent = _short(our_unit) == "%" and not their_unit, _short(their_unit) == "%" and not our_unit
        if any(percent):
            return _percent(ours, theirs, percent[0], same, terms)
        result = same(ours, theirs)
        if (
            result is False
            and "degree" in (_short(our_unit), _short(their_unit))
            and _mentions_pi(ours, theirs)
        ):
            ours = Fn("degree", (ours,)) if our_unit else ours
            theirs = Fn("degree", (theirs,)) if their_unit else theirs
            return same(ours, theirs)
        return result
    if mine.dimensions != yours.dimensions:
        return _angles(ours, our_unit, theirs, their_unit, same, terms)
    if mine.factor == yours.factor:
        return same(ours, theirs)
    scale = Num(yours.factor / mine.factor)
    return same_value(ours, Mul((scale, theirs)), terms.tolerance)


def _percent(ours: Node, theirs: Node, ours_in_percent: bool, same: Same, terms: Terms) -> bool | None:
    """A percentage against a bare number: the ratio it is, or, from 1 on, the number before the sign."""
    hundredth: Node = Num(Fraction(1, 100))
    bare = theirs if ours_in_percent else ours
    result = same(Mul((hundredth, ours)), theirs) if ours_in_percent else same(ours, Mul((hundredth, theirs)))
    size = orderable(bare)
    if result is not True and size is not None and abs(size) >= 1:
        return same(ours, theirs)
    return result


def _angles(
    ours: Node, our_unit: str, theirs: Node, their_unit: str, same: Same, terms: Terms
) -> bool | None:
    if {_short(our_unit), _short(their_unit)} != {"degree", "radian"}:
        return False
    if _short(our_unit) == "degree":
        return same_value(Fn("degree", (ours,)), theirs, terms.tolerance)
    return same_value(ours, Fn("degree", (theirs,)), terms.tolerance)


def _split(node: Node) -> tuple[Node, str]:
    return (node.value, node.unit) if isinstance(node, Quantity) else (node, "")


def _short(name: str) -> str:
    known = unit(name)
    if known is not None and known.dimensions == (("percent", 1),):
        return "%"
    if known is not None and known.dimensions == (("angle", 1),):
        return "degree"
    return "radian" if known is not None and known.dimensions == (("radian", 1),) else name


def _mentions_pi(*nodes: Node) -> bool:
    return any(part == Sym("pi") for node in nodes for part in walk(node))


def bases(gold: Node, prediction: Node, same: Same, terms: Terms) -> bool | None:
    """Digits in the same base, or without one where the other says which; else their values."""
    ours, theirs = gold, prediction
    if isinstance(ours, Based) and isinstance(theirs, Based):
        if ours.base == theirs.base:
            return ours.digits == theirs.digits
    elif isinstance(ours, Based):
        return isinstance(theirs, Num) and theirs.decimals is None and str(theirs.value) == ours.digits
    elif isinstance(theirs, Based) and isinstance(ours, Num):
        return str(ours.value) == theirs.digits
    return same_value(gold, prediction, terms.tolerance)
