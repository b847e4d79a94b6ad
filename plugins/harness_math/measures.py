"""Numbers with units, percentages, angles and digits in a base."""

from __future__ import annotations

from fractions import Fraction
from typing import Final

from harness_math.evaluate import based_value
from harness_math.nodes import (
    Add,
    Based,
    Fn,
    Letters,
    Mul,
    Node,
    Num,
    Quantity,
    Seq,
    Sym,
    Unreadable,
    walk,
)
from harness_math.same import Same, Terms
from harness_math.units import contrary, known_part, unit
from harness_math.values import orderable, same_value


def quantities(gold: Node, prediction: Node, same: Same, terms: Terms) -> bool | None:
    ours, our_unit = _split(gold)
    theirs, their_unit = _split(prediction)
    our_unit = our_unit or terms.unit or ""
    if contrary(our_unit, their_unit):
        return False
    our_unit, their_unit = known_part(our_unit), known_part(their_unit)
    our_unit, their_unit = _primes(our_unit, their_unit), _primes(their_unit, our_unit)
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


#: What primes mean beside a unit of each kind, and beside primes.
_PRIMES: Final = {
    "length": ("foot", "inch"),
    "time": ("minute", "second"),
    "angle": ("arcminute", "arcsecond"),
}


def _primes(name: str, other: str) -> str:
    if other == "£" and name in ("pound", "pounds"):
        return other
    if name not in ("′", "″"):
        return name
    known = unit(other)
    kind = known.dimensions[0][0] if known is not None and known.dimensions else "length"
    return _PRIMES.get(kind, _PRIMES["length"])[name == "″"]


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


def compound(node: Node) -> Node:
    """`1 hour, 20 minutes and 5 seconds` as one quantity: a list of one kind, from the largest unit down,
    each part less than one of the unit before it."""
    if not isinstance(node, Seq) or node.left or not all(isinstance(item, Quantity) for item in node.items):
        return node
    parts = [item for item in node.items if isinstance(item, Quantity)]
    known = [unit(part.unit) for part in parts]
    first = known[0]
    if first is None:
        return node
    total: list[Node] = [parts[0].value]
    for part, before, after in zip(parts[1:], known, known[1:], strict=False):
        size = orderable(part.value)
        if before is None or after is None or after.dimensions != first.dimensions or size is None:
            return node
        if after.factor >= before.factor or not 0 <= size * after.factor < before.factor:
            return node
        total.append(Mul((Num(after.factor / first.factor), part.value)))
    return Quantity(Add(tuple(total)), parts[0].unit)


def _spelled(node: Node) -> str:
    """The digits that a value without a base is written with; letters may be among them."""
    if isinstance(node, Num) and node.decimals is None and node.value >= 0:
        return str(node.value)
    if isinstance(node, Letters):
        return node.text
    if isinstance(node, Sym) and len(node.name) == 1:
        return node.name
    if isinstance(node, Mul):
        parts = [_spelled(factor) for factor in node.factors]
        return "".join(parts) if all(parts) else ""
    return ""


def bases(gold: Node, prediction: Node, same: Same, terms: Terms) -> bool | None:
    """Digits in the same base, or without one where the other says which; else their values. Digits that
    their base lacks are no number."""
    ours, theirs = gold, prediction
    for node in (ours, theirs):
        if isinstance(node, Based) and not _is_numeral(node):
            return False
    if isinstance(ours, Based) and isinstance(theirs, Based):
        if ours.base == theirs.base:
            return ours.digits.lstrip("0") == theirs.digits.lstrip("0")
    elif isinstance(ours, Based):
        return _spelled(theirs).upper() == ours.digits.lstrip("0")
    elif isinstance(theirs, Based) and _spelled(ours):
        return _spelled(ours).upper() == theirs.digits.lstrip("0")
    return same_value(gold, prediction, terms.tolerance)


def _is_numeral(node: Based) -> bool:
    try:
        based_value(node.digits, node.base)
    except Unreadable:
        return False
    return True
