"""Whether a prediction answers what the gold answers: the structure first, then its values.

The policies, each decided once and listed in docs/verifier-math.md, are the functions here. None
means that this reader cannot tell.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, TypeVar

from harness_math.evaluate import numeric, variables
from harness_math.nodes import (
    Add,
    Based,
    Div,
    Fn,
    Inf,
    Matrix,
    Mul,
    Node,
    Num,
    Opaque,
    Pm,
    Quantity,
    Relation,
    Seq,
    Sym,
    Union,
    Unreadable,
    Without,
    Words,
    walk,
)
from harness_math.units import unit
from harness_math.values import close, orderable, points, same_value

_FLIP: Final = {"<": ">", ">": "<", "<=": ">=", ">=": "<="}
_NOTHING: Final = frozenset(
    {
        "no solution",
        "the empty set",
        "no solutions",
        "no real solution",
        "no real solutions",
        "none",
        "empty set",
        "∅",
    }
)
_EVERYTHING: Final = frozenset({"all real numbers", "all reals", "any real number", "all real number", "ℝ"})
_COUNTS: Final = {
    word: number
    for number, word in enumerate(
        [
            "zero",
            "one",
            "two",
            "three",
            "four",
            "five",
            "six",
            "seven",
            "eight",
            "nine",
            "ten",
            "eleven",
            "twelve",
            "thirteen",
            "fourteen",
            "fifteen",
            "sixteen",
            "seventeen",
            "eighteen",
            "nineteen",
            "twenty",
        ]
    )
}
#: Low end, whether it belongs, high end, whether it belongs.
Interval = tuple[Node, bool, Node, bool]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Terms:
    """What the data says about the comparison."""

    tolerance: float | None = None
    unit: str | None = None


def equal(gold: Node, prediction: Node, terms: Terms) -> bool | None:
    """Whether two answers are the same answer; None when it cannot be told.

    Raises:
        CostBound: telling would cost too much.
    """
    if gold == prediction and not isinstance(gold, Opaque):
        return True
    gold, prediction = _plain(gold), _plain(prediction)
    if _conditions(gold) != _conditions(prediction):
        return _as_intervals(gold, prediction, terms)
    if isinstance(gold, Relation) or isinstance(prediction, Relation):
        return _relations(gold, prediction, terms)
    if isinstance(gold, Quantity) or isinstance(prediction, Quantity):
        return _quantities(gold, prediction, terms)
    if isinstance(gold, Opaque) or isinstance(prediction, Opaque):
        return None
    if isinstance(gold, Words) or isinstance(prediction, Words):
        return _texts(gold, prediction)
    if _holds_matrix(gold) or _holds_matrix(prediction):
        return _matrices(gold, prediction, terms)
    if isinstance(gold, Union | Without) or isinstance(prediction, Union | Without):
        return _as_intervals(gold, prediction, terms)
    if isinstance(gold, Seq) or isinstance(prediction, Seq):
        return _sequences(gold, prediction, terms)
    if isinstance(gold, Based) or isinstance(prediction, Based):
        return _bases(gold, prediction, terms)
    if _has_infinity(gold) or _has_infinity(prediction):
        return (
            orderable(gold) == orderable(prediction)
            if _has_infinity(gold) and _has_infinity(prediction)
            else False
        )
    return same_value(gold, prediction, terms.tolerance)


def _conditions(node: Node) -> bool:
    """Whether a bare list is of inequalities, to hold together."""
    return (
        isinstance(node, Seq)
        and node.left == ""
        and all(isinstance(i, Relation) and set(i.ops) <= {"<", ">", "<=", ">="} for i in node.items)
    )


def _plain(node: Node) -> Node:
    """One item in brackets is that item; names for nothing and everything are symbols."""
    if isinstance(node, Seq) and len(node.items) == 1 and node.left in ("[", "", "(", "{", "<"):
        return _plain(node.items[0])
    if isinstance(node, Words):
        if node.text in _NOTHING:
            return Sym("∅")
        if node.text in _EVERYTHING:
            return _interval_node(_minus_infinity(), Inf())
        if node.text in _COUNTS:
            return Num(Fraction(_COUNTS[node.text]))
    if isinstance(node, Sym) and node.name == "ℝ":
        return _interval_node(_minus_infinity(), Inf())
    if isinstance(node, Relation) and node.ops == ("in",):
        return _plain(node.members[1])
    if isinstance(node, Union) and len(node.parts) == 1:
        return _plain(node.parts[0])
    return node


def _has_infinity(node: Node) -> bool:
    return any(isinstance(part, Inf) for part in walk(node))


def _every(results: Sequence[bool | None]) -> bool | None:
    """All true, or one false, or unknown."""
    if False in results:
        return False
    return None if None in results else True


# Text --------------------------------------------------------------------------------------------


def _texts(gold: Node, prediction: Node) -> bool | None:
    if isinstance(gold, Words) and isinstance(prediction, Words):
        if gold.text[:1].isdigit() and len({len(gold.text), len(prediction.text)}) == 2:
            # Times of day, of which one says which half.
            longer, shorter = sorted((gold.text, prediction.text), key=len, reverse=True)
            return longer in (f"{shorter} a", f"{shorter} p")
        return _essence(gold.text) == _essence(prediction.text)
    return False


def _essence(text: str) -> str:
    words = [w for w in text.split() if w not in ("the", "a", "an", "is", "are")]
    return "".join(words).replace("-", "").replace("'", "")


# Units -------------------------------------------------------------------------------------------


def _quantities(gold: Node, prediction: Node, terms: Terms) -> bool | None:
    ours, our_unit = _split(gold)
    theirs, their_unit = _split(prediction)
    our_unit = our_unit or terms.unit or ""
    mine, yours = unit(our_unit), unit(their_unit)
    if mine is None or yours is None:
        # No unit, or one that says nothing about size, on one side.
        percent = _short(our_unit) == "%" and not their_unit, _short(their_unit) == "%" and not our_unit
        if any(percent):
            return _percent(ours, theirs, percent[0], terms)
        result = equal(ours, theirs, terms)
        if (
            result is False
            and "degree" in (_short(our_unit), _short(their_unit))
            and _mentions_pi(ours, theirs)
        ):
            ours = Fn("degree", (ours,)) if our_unit else ours
            theirs = Fn("degree", (theirs,)) if their_unit else theirs
            return equal(ours, theirs, terms)
        return result
    if mine.dimensions != yours.dimensions:
        return _angles(ours, our_unit, theirs, their_unit, terms)
    if mine.factor == yours.factor:
        return equal(ours, theirs, terms)
    scale = Num(yours.factor / mine.factor)
    return same_value(ours, Mul((scale, theirs)), terms.tolerance)


def _percent(ours: Node, theirs: Node, ours_in_percent: bool, terms: Terms) -> bool | None:
    """A percentage against a bare number: the ratio it is, or, from 1 on, the number before the sign."""
    hundredth: Node = Num(Fraction(1, 100))
    bare = theirs if ours_in_percent else ours
    if ours_in_percent:
        result = equal(Mul((hundredth, ours)), theirs, terms)
    else:
        result = equal(ours, Mul((hundredth, theirs)), terms)
    size = orderable(bare)
    if result is not True and size is not None and abs(size) >= 1:
        return equal(ours, theirs, terms)
    return result


def _angles(ours: Node, our_unit: str, theirs: Node, their_unit: str, terms: Terms) -> bool | None:
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


def _bases(gold: Node, prediction: Node, terms: Terms) -> bool | None:
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


# Relations ---------------------------------------------------------------------------------------


def _relations(gold: Node, prediction: Node, terms: Terms) -> bool | None:
    ours, theirs = _Equation.of(gold), _Equation.of(prediction)
    if ours is None and theirs is None:
        return _inequalities(gold, prediction, terms)
    if isinstance(gold, Relation) and isinstance(prediction, Relation):
        if ours is None or theirs is None:
            return False
        return _equations(ours, theirs, terms)
    if ours is not None:
        # The gold names what it gives: the name may be left out, a condition may not.
        return equal(ours.value, prediction, terms) if ours.named else False
    assert theirs is not None
    if theirs.named or theirs.closed or not variables(gold):
        return equal(gold, theirs.value, terms)
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
        first, last = node.members[0], node.members[-1]
        if not _is_name(first) and _is_name(last) and len(node.members) == 2:
            first, last = last, first
        unreadable = isinstance(first, Opaque)
        return cls(first, last, _is_name(first), unreadable or not variables(first))


def _is_name(node: Node) -> bool:
    parts = walk(node)
    if isinstance(node, Words):
        return True
    allowed = all(isinstance(p, Sym | Mul | Add | Seq | Fn | Words) for p in parts)
    functions = all(
        p.name in ("ratio", "prime", "abs", "max", "min", "degree") for p in parts if isinstance(p, Fn)
    )
    constants = any(isinstance(p, Sym) and p.name in ("pi", "∅", "ℝ") for p in parts)
    return allowed and functions and not constants and any(isinstance(p, Sym | Words) for p in parts)


def _equations(ours: _Equation, theirs: _Equation, terms: Terms) -> bool | None:
    if isinstance(ours.first, Opaque) or isinstance(theirs.first, Opaque):
        return equal(ours.value, theirs.value, terms)
    if ours.named and theirs.named and (ours.first == theirs.first or _free_name(ours, theirs)):
        return equal(ours.value, theirs.value, terms)
    if ours.named and theirs.closed:
        return equal(ours.value, theirs.value, terms)
    result = _proportional(ours, theirs)
    if result is None and ours.first == theirs.first:
        return equal(ours.value, theirs.value, terms)
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


def _inequalities(gold: Node, prediction: Node, terms: Terms) -> bool | None:
    result = _as_intervals(gold, prediction, terms)
    if result is not None:
        return result
    if not isinstance(gold, Relation) or not isinstance(prediction, Relation):
        return False
    ours, theirs = _ascending(gold), _ascending(prediction)
    if ours.ops != theirs.ops:
        return False
    if len(ours.ops) > 1:
        return _every([equal(a, b, terms) for a, b in zip(ours.members, theirs.members, strict=True)])
    try:
        ratio = _ratio(_difference(*ours.members), _difference(*theirs.members))
    except Unreadable:
        return None
    return ratio is not None and abs(ratio.imag) < 1e-9 and ratio.real > 0


def _ascending(node: Relation) -> Relation:
    """The same chain with the smaller side first."""
    if all(op in (">", ">=") for op in node.ops):
        return Relation(node.members[::-1], tuple(_FLIP[op] for op in node.ops[::-1]))
    return node


# Intervals ---------------------------------------------------------------------------------------


def _minus_infinity() -> Node:
    return Mul((Num(Fraction(-1)), Inf()))


def _interval_node(low: Node, high: Node) -> Node:
    return Seq("(", ")", (low, high))


def _as_intervals(gold: Node, prediction: Node, terms: Terms) -> bool | None:
    ours, theirs = _intervals(gold), _intervals(prediction)
    if ours is None or theirs is None:
        return None
    return _matched(ours, theirs, lambda a, b: _same_interval(a, b, terms))


def _same_interval(a: Interval, b: Interval, terms: Terms) -> bool | None:
    if a[1] != b[1] or a[3] != b[3]:
        return False
    return _every([equal(a[0], b[0], terms), equal(a[2], b[2], terms)])


def _intervals(node: Node) -> list[Interval] | None:
    """A set of reals as disjoint intervals, in order where the ends can be ordered; None when it is
    no such set."""
    node = _plain(node)
    match node:
        case Seq(left, right, (low, high)) if left in ("(", "[") and right in (")", "]"):
            return [(low, left == "[", high, right == "]")]
        case Seq("", "", items) if all(isinstance(item, Relation) for item in items):
            return _intersection([_intervals(item) for item in items])
        case Seq("{", "}", items):
            return [(item, True, item, True) for item in items]
        case Union(parts):
            pieces = [_intervals(part) for part in parts]
            return None if None in pieces else [i for piece in pieces if piece for i in piece]
        case Without(whole, removed):
            return _without(_intervals(whole), _points_of(removed))
        case Relation():
            return _of_inequality(_ascending(node))
        case Sym("∅"):
            return []
    return None


def _intersection(parts: Sequence[list[Interval] | None]) -> list[Interval] | None:
    """Conditions that hold together, where each is one interval with ends that can be ordered."""
    low: tuple[float, bool, Node] | None = None
    high: tuple[float, bool, Node] | None = None
    for part in parts:
        if part is None or len(part) != 1:
            return None
        start, start_in, end, end_in = part[0]
        at = orderable(start), orderable(end)
        if at[0] is None or at[1] is None:
            return None
        # At the same end, the one that leaves it out is the narrower.
        if low is None or (at[0], not start_in) > (low[0], not low[1]):
            low = (at[0], start_in, start)
        if high is None or (at[1], end_in) < (high[0], high[1]):
            high = (at[1], end_in, end)
    if low is None or high is None or low[0] > high[0]:
        return None
    return [(low[2], low[1], high[2], high[1])]


def _points_of(node: Node) -> list[Node] | None:
    node = node if isinstance(node, Seq) else Seq("{", "}", (node,))
    return list(node.items) if node.left in ("{", "") else None


def _without(whole: list[Interval] | None, removed: list[Node] | None) -> list[Interval] | None:
    if whole is None or removed is None:
        return None
    for point in sorted(removed, key=lambda p: orderable(p) or 0.0):
        at = orderable(point)
        for i, (low, low_in, high, high_in) in enumerate(whole):
            ends = orderable(low), orderable(high)
            if at is None or ends[0] is None or ends[1] is None:
                return None
            if ends[0] < at < ends[1]:
                whole = [
                    *whole[:i],
                    (low, low_in, point, False),
                    (point, False, high, high_in),
                    *whole[i + 1 :],
                ]
                break
    return whole


def _of_inequality(node: Relation) -> list[Interval] | None:
    """`a < x <= b`, `x > a`, `x != a`: one unknown, alone on its side."""
    members, ops = node.members, node.ops
    if any(op not in _FLIP and op != "!=" for op in ops):
        return None
    unknown = [i for i, m in enumerate(members) if isinstance(m, Sym) and variables(m)]
    if len(members) == 3 and 1 in unknown:
        # Between two ends, whatever letters they hold.
        if variables(members[1]) & (variables(members[0]) | variables(members[2])):
            return None
    elif len(unknown) != 1 or any(variables(m) for i, m in enumerate(members) if i != unknown[0]):
        return None
    at = 1 if len(members) == 3 and 1 in unknown else unknown[0]
    if len(members) == 2:
        bound, op = members[1 - at], ops[0] if at == 0 else _FLIP.get(ops[0], ops[0])
        if op == "!=":
            return _without([(_minus_infinity(), False, Inf(), False)], [bound])
        if op in ("<", "<="):
            return [(_minus_infinity(), False, bound, op == "<=")]
        return [(bound, op == ">=", Inf(), False)]
    if len(members) == 3 and at == 1 and all(op in ("<", "<=") for op in ops):
        return [(members[0], ops[0] == "<=", members[2], ops[1] == "<=")]
    return None


# Collections -------------------------------------------------------------------------------------


def _sequences(gold: Node, prediction: Node, terms: Terms) -> bool | None:
    if not isinstance(gold, Seq) or not isinstance(prediction, Seq):
        return _single_against_many(gold, prediction, terms)
    ordered = gold.left in ("(", "[", "<") or prediction.left in ("(", "[", "<")
    if ordered and "{" in (gold.left, prediction.left):
        return False
    if not ordered:
        return _matched(expand(gold), expand(prediction), lambda a, b: equal(a, b, terms))
    if len(gold.items) != len(prediction.items):
        return False
    explicit = all(side in ("(", "[") for side in (gold.left, prediction.left))
    if explicit and len(gold.items) == 2 and (gold.left, gold.right) != (prediction.left, prediction.right):
        return False
    return _every([equal(a, b, terms) for a, b in zip(gold.items, prediction.items, strict=True)])


def _single_against_many(gold: Node, prediction: Node, terms: Terms) -> bool | None:
    """A list against one expression: with plus-minus it is two values."""
    many, single = (gold, prediction) if isinstance(gold, Seq) else (prediction, gold)
    assert isinstance(many, Seq)
    if many.left in ("(", "[", "<"):
        return False
    values = expand(Seq("", "", (single,)))
    if len(values) == 1:
        # A list whose members are all the same value (1/2 or 0.5) is that value.
        return many is prediction and not many.left and all(equal(gold, i, terms) for i in many.items)
    ours, theirs = (expand(many), values) if many is gold else (values, expand(many))
    return _matched(ours, theirs, lambda a, b: equal(a, b, terms))


def expand(node: Seq) -> list[Node]:
    """Items of a list or set, each plus-minus as its two values."""
    found: list[Node] = []
    for item in node.items:
        value = (
            item.members[-1] if isinstance(item, Relation) and item.ops and set(item.ops) == {"="} else item
        )
        if any(isinstance(part, Pm) for part in walk(value)):
            found += [_choose(value, 1), _choose(value, -1)]
        else:
            found.append(item)
    return found


def _choose(node: Node, sign: int) -> Node:
    match node:
        case Pm(term, choice):
            inner = _choose(term, sign)
            return inner if sign * choice > 0 else Mul((Num(Fraction(-1)), inner))
        case Add(terms):
            return Add(tuple(_choose(t, sign) for t in terms))
        case Mul(factors):
            return Mul(tuple(_choose(f, sign) for f in factors))
        case Div(top, bottom):
            return Div(_choose(top, sign), _choose(bottom, sign))
        case Fn(name, args):
            return Fn(name, tuple(_choose(a, sign) for a in args))
        case Seq(left, right, items):
            return Seq(left, right, tuple(_choose(i, sign) for i in items))
        case Quantity(value, name):
            return Quantity(_choose(value, sign), name)
    return node


def _matched(ours: list[T], theirs: list[T], same: Callable[[T, T], bool | None]) -> bool | None:
    """Whether two collections are the same set: each has a partner among the others."""
    if len(ours) * len(theirs) > 2500:
        return None
    unknown = False
    for mine, yours, swapped in ((ours, theirs, False), (theirs, ours, True)):
        for a in mine:
            results = [same(b, a) if swapped else same(a, b) for b in yours]
            if True in results:
                continue
            if None not in results:
                return False
            unknown = True
    if not unknown and len(ours) != len(theirs) and not _repeats(ours, theirs, same):
        return False
    return None if unknown else True


def _repeats(ours: list[T], theirs: list[T], same: Callable[[T, T], bool | None]) -> bool:
    longer = ours if len(ours) > len(theirs) else theirs
    return any(same(a, b) for i, a in enumerate(longer) for b in longer[i + 1 :])


# Matrices ----------------------------------------------------------------------------------------


def _matrices(gold: Node, prediction: Node, terms: Terms) -> bool | None:
    ours, theirs = _rows(gold), _rows(prediction)
    if ours is None or theirs is None:
        return False
    if isinstance(gold, Seq) or isinstance(prediction, Seq):
        # A column, a row and a tuple of the same numbers are the same vector.
        ours, theirs = _flat(ours), _flat(theirs)
    if [len(row) for row in ours] != [len(row) for row in theirs]:
        return False
    return _every(
        [equal(a, b, terms) for x, y in zip(ours, theirs, strict=True) for a, b in zip(x, y, strict=True)]
    )


def _holds_matrix(node: Node) -> bool:
    return isinstance(node, Matrix) or (isinstance(node, Mul) and any(_holds_matrix(f) for f in node.factors))


def _rows(node: Node) -> list[list[Node]] | None:
    if isinstance(node, Matrix):
        return [list(row) for row in node.rows]
    if isinstance(node, Mul) and len(node.factors) == 2 and _holds_matrix(node):
        # A number times a matrix.
        scalar, matrix = sorted(node.factors, key=_holds_matrix)
        rows = None if _holds_matrix(scalar) else _rows(matrix)
        return None if rows is None else [[Mul((scalar, item)) for item in row] for row in rows]
    if isinstance(node, Seq) and node.left in ("(", "[", "<", ""):
        if all(isinstance(item, Seq) and item.left in ("[", "(") for item in node.items):
            return [list(item.items) for item in node.items if isinstance(item, Seq)]
        return [list(node.items)]
    return None


def _flat(rows: list[list[Node]]) -> list[list[Node]]:
    if len(rows) == 1 or all(len(row) == 1 for row in rows):
        return [[item for row in rows for item in row]]
    return rows
