"""Sets of reals: intervals, unions, conditions on one unknown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from harness_math.evaluate import variables
from harness_math.names import is_name, minus_infinity, plain
from harness_math.nodes import Fn, Inf, Node, Relation, Seq, Sym, Union, Without, walk
from harness_math.same import Same, every, matched
from harness_math.values import orderable

_FLIP: Final = {"<": ">", ">": "<", "<=": ">=", ">=": "<="}
#: Low end, whether it belongs, high end, whether it belongs.
Interval = tuple[Node, bool, Node, bool]


def conditions(node: Node) -> bool:
    """Whether a bare list is of inequalities, to hold together."""
    return (
        isinstance(node, Seq)
        and node.left == ""
        and all(isinstance(i, Relation) and set(i.ops) <= {"<", ">", "<=", ">="} for i in node.items)
    )


def as_intervals(gold: Node, prediction: Node, same: Same) -> bool | None:
    """Whether two sets of reals are the same; a single value is the set of itself."""
    ours, theirs = _or_point(gold), _or_point(prediction)
    if ours is None or theirs is None:
        return None
    return matched(ours, theirs, lambda a, b: _same_interval(a, b, same))


def _or_point(node: Node) -> list[Interval] | None:
    found = intervals(node)
    if found is None and orderable(node) is not None:
        return [(node, True, node, True)]
    return found


def _same_interval(a: Interval, b: Interval, same: Same) -> bool | None:
    if a[1] != b[1] or a[3] != b[3]:
        return False
    return every([same(a[0], b[0]), same(a[2], b[2])])


def intervals(node: Node) -> list[Interval] | None:
    """A set of reals as disjoint intervals, in order where the ends can be ordered; None when it is
    no such set."""
    node = plain(node)
    match node:
        case Seq(left, right, (low, high)) if left in ("(", "[") and right in (")", "]"):
            return [(low, left == "[", high, right == "]")]
        case Seq("", "", items) if all(isinstance(item, Relation) for item in items):
            return _intersection([intervals(item) for item in items])
        case Seq("{", "}", items):
            return [(item, True, item, True) for item in items]
        case Union(parts):
            pieces = [_or_point(part) for part in parts]
            return None if None in pieces else [i for piece in pieces if piece for i in piece]
        case Without(whole, removed):
            return _without(intervals(whole), _points_of(removed))
        case Relation():
            return _of_inequality(ascending(node))
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
    unknown = [
        i
        for i, m in enumerate(members)
        if variables(m) and is_name(m) and not any(isinstance(part, Fn) for part in walk(m))
    ]
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
            return _without([(minus_infinity(), False, Inf(), False)], [bound])
        if op in ("<", "<="):
            return [(minus_infinity(), False, bound, op == "<=")]
        return [(bound, op == ">=", Inf(), False)]
    if len(members) == 3 and at == 1 and all(op in ("<", "<=") for op in ops):
        return [(members[0], ops[0] == "<=", members[2], ops[1] == "<=")]
    return None


def ascending(node: Relation) -> Relation:
    """The same chain with the smaller side first."""
    if all(op in (">", ">=") for op in node.ops):
        return Relation(node.members[::-1], tuple(_FLIP[op] for op in node.ops[::-1]))
    return node
