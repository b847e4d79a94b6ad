"""Sets of reals: intervals, unions, conditions on one unknown."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Final

from harness_math.evaluate import CALL, Inexact, exact, variables
from harness_math.names import is_name, minus_infinity, plain
from harness_math.nodes import MEET, Fn, Inf, Node, Relation, Seq, Sym, Union, Without, walk
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
        and all(isinstance(i, Relation) and set(i.ops) <= {"<", ">", "<=", ">=", "!="} for i in node.items)
        and any(isinstance(i, Relation) and "!=" not in i.ops for i in node.items)
    )


def as_intervals(gold: Node, prediction: Node, same: Same) -> bool | None:
    """Whether two sets of reals are the same; a single value is the set of itself."""
    ours, theirs = _or_point(gold), _or_point(prediction)
    if ours is None or theirs is None:
        return _as_names(gold, prediction, same)
    ours, theirs = _merged(ours), _merged(theirs)
    return matched(ours, theirs, lambda a, b: _same_interval(a, b, same))


def _as_names(gold: Node, prediction: Node, same: Same) -> bool | None:
    """Sets of which only the names are known: a union has no order, a difference has."""
    match gold, prediction:
        case Union(ours), Union(theirs):
            return matched(list(ours), list(theirs), same)
        case Fn(a, ours), Fn(b, theirs) if a == b == MEET:
            return matched(list(ours), list(theirs), same)
        case Without(whole, removed), Without(other, taken):
            return every([same(whole, other), same(removed, taken)])
    return None


def _merged(spans: list[Interval]) -> list[Interval]:
    """The same set with spans joined that meet or overlap, where all ends can be ordered."""
    ends = [(orderable(low), orderable(high)) for low, _, high, _ in spans]
    if len(spans) < 2 or any(low is None or high is None for low, high in ends):
        return spans
    if all(low == high for low, _, high, _ in spans):
        return spans  # points, which doubles cannot always tell apart
    ordered = sorted(spans, key=lambda s: (orderable(s[0]) or 0.0, not s[1]))
    out = [ordered[0]]
    for low, low_in, high, high_in in ordered[1:]:
        start, start_in, end, end_in = out[-1]
        gap = _distance(low, end)
        if gap > 0 or (gap == 0 and not (low_in or end_in)):
            out.append((low, low_in, high, high_in))
            continue
        further = _distance(high, end)
        if further > 0:
            end, end_in = high, high_in
        elif further == 0:
            end_in = end_in or high_in
        out[-1] = (start, start_in, end, end_in)
    return out


def _distance(a: Node, b: Node) -> Fraction | float:
    """How far one end lies beyond another, exactly where both are rational."""
    try:
        return exact(a) - exact(b)
    except Inexact:
        ends = orderable(a) or 0.0, orderable(b) or 0.0
        return 0.0 if ends[0] == ends[1] else ends[0] - ends[1]


def is_list_of_spans(node: Node) -> bool:
    """Whether a bare list is of intervals: `(-\\infty, 1), (2, \\infty)`."""
    return (
        isinstance(node, Seq)
        and node.left == ""
        and all(isinstance(i, Seq) and len(i.items) == 2 and i.left in ("(", "[") for i in node.items)
    )


def _or_point(node: Node) -> list[Interval] | None:
    node = plain(node)
    parts = intervals(node)
    if parts is None and orderable(node) is not None:
        return [(node, True, node, True)]
    return parts


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
            holes = [item for item in items if isinstance(item, Relation) and item.ops == ("!=",)]
            spans = _intersection([intervals(item) for item in items if item not in holes])
            # x != 3 beside other conditions takes a point out.
            return _without(spans, [hole.members[1] for hole in holes]) if holes else spans
        case Seq("{", "}", items):
            return [(item, True, item, True) for item in items]
        case Union(parts):
            pieces = [_or_point(part) for part in parts]
            return None if None in pieces else [i for piece in pieces if piece for i in piece]
        case Fn(name, parts) if name == MEET:
            return _intersection([intervals(part) for part in parts])
        case Without(whole, removed):
            points = _points_of(removed)
            if points is None:
                return _remaining(intervals(whole), intervals(removed))
            return _without(intervals(whole), points)
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


def _remaining(whole: list[Interval] | None, removed: list[Interval] | None) -> list[Interval] | None:
    """Spans without other spans, where all ends can be ordered."""
    if whole is None or removed is None:
        return None
    if any(orderable(end) is None for span in (*whole, *removed) for end in (span[0], span[2])):
        return None
    for low, low_in, high, high_in in removed:
        rest: list[Interval] = []
        for span in whole:
            for side in ((minus_infinity(), False, low, not low_in), (high, not high_in, Inf(), False)):
                rest += _intersection([[span], [side]]) or ()
        whole = [s for s in rest if orderable(s[0]) != orderable(s[2]) or (s[1] and s[3])]
    return whole


def _of_inequality(node: Relation) -> list[Interval] | None:
    """`a < x <= b`, `x > a`, `x != a`: one unknown, alone on its side."""
    members, ops = node.members, node.ops
    if ops == ("=",) and is_name(members[0]) and orderable(members[1]) is not None:
        return [(members[1], True, members[1], True)]
    if any(op not in _FLIP and op != "!=" for op in ops):
        return None
    unknown = [
        i
        for i, m in enumerate(members)
        if variables(m)
        and is_name(m)
        and not any(isinstance(part, Fn) and not part.name.startswith(CALL) for part in walk(m))
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
