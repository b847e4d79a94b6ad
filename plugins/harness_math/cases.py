"""Values by cases, sets that are built of an expression, statements that are joined."""

from __future__ import annotations

from harness_math.nodes import BUILT, CASES, LOGIC, Fn, Node, Words
from harness_math.same import Same, every, matched

_REST = frozenset({"otherwise", "else", "elsewhere"})


def is_by_cases(node: Node) -> bool:
    return isinstance(node, Fn) and (node.name in (BUILT, CASES) or node.name.startswith(LOGIC))


def by_cases(gold: Node, prediction: Node, same: Same) -> bool | None:
    """Whether two answers give the same values under the same conditions, in any order. One condition may be
    called the rest (`otherwise`) where the others are the same."""
    if not isinstance(gold, Fn) or not isinstance(prediction, Fn) or gold.name != prediction.name:
        return False
    if len(gold.args) != len(prediction.args):
        return False
    if gold.name == BUILT:
        return every([same(a, b) for a, b in zip(gold.args, prediction.args, strict=True)])
    if gold.name.startswith(LOGIC):
        return matched(list(gold.args), list(prediction.args), same)
    left = _rows(prediction)
    for value, condition in _rows(gold):
        row = next((r for r in left if same(value, r[0]) and _same_condition(condition, r[1], same)), None)
        if row is None:
            return False
        left.remove(row)
    return True


def _rows(node: Fn) -> list[tuple[Node, Node]]:
    """Value and condition of each case, the rest last."""
    rows = list(zip(node.args[::2], node.args[1::2], strict=True))
    return sorted(rows, key=lambda row: _is_rest(row[1]))


def _is_rest(node: Node) -> bool:
    return isinstance(node, Words) and node.text in _REST


def _same_condition(ours: Node, theirs: Node, same: Same) -> bool:
    return _is_rest(ours) or _is_rest(theirs) or same(ours, theirs) is True
