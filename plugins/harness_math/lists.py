"""Collections: lists and sets without order, tuples with."""

from __future__ import annotations

from fractions import Fraction

from harness_math.nodes import Mul, Node, Num, Pm, Relation, Seq, mapped, walk
from harness_math.same import Same, every, matched


def sequences(gold: Node, prediction: Node, same: Same) -> bool | None:
    if not isinstance(gold, Seq) or not isinstance(prediction, Seq):
        return _single_against_many(gold, prediction, same)
    if _is_ordered(gold) != _is_ordered(prediction):
        gold, prediction = _both_signs(gold), _both_signs(prediction)
    ordered = gold.left in ("(", "[", "<") or prediction.left in ("(", "[", "<")
    if ordered and "{" in (gold.left, prediction.left):
        return False
    if not ordered:
        return matched(expand(gold), expand(prediction), lambda a, b: _same_member(a, b, same))
    if len(gold.items) != len(prediction.items):
        return False
    explicit = all(side in ("(", "[") for side in (gold.left, prediction.left))
    if explicit and len(gold.items) == 2 and (gold.left, gold.right) != (prediction.left, prediction.right):
        return False
    return every([same(a, b) for a, b in zip(gold.items, prediction.items, strict=True)])


def _is_ordered(node: Seq) -> bool:
    return node.left in ("(", "[", "<")


def _both_signs(node: Seq) -> Seq:
    """A point with plus-minus is two points: `(0, \\pm 4)`."""
    signed = _is_ordered(node) and any(isinstance(part, Pm) for part in walk(node))
    return Seq("", "", (node,)) if signed else node


def _same_member(a: Node, b: Node, same: Same) -> bool | None:
    """A set is no member that is not one: `{1}` is not 1."""
    return same(a, b) if _is_set(a) == _is_set(b) else False


def _is_set(node: Node) -> bool:
    return isinstance(node, Seq) and node.left == "{"


def _single_against_many(gold: Node, prediction: Node, same: Same) -> bool | None:
    """A list against one expression: with plus-minus it is two values."""
    many, single = (gold, prediction) if isinstance(gold, Seq) else (prediction, gold)
    assert isinstance(many, Seq)
    if many.left in ("(", "[", "<"):
        return False
    values = expand(Seq("", "", (single,)))
    if len(values) == 1:
        # A list whose members are all the same value (1/2 or 0.5) is that value.
        if many.left:
            return False
        return all(same(gold, i) if many is prediction else same(i, prediction) for i in many.items)
    ours, theirs = (expand(many), values) if many is gold else (values, expand(many))
    return matched(ours, theirs, lambda a, b: same(a, b))


def expand(node: Seq) -> list[Node]:
    """Items of a list or set, each plus-minus as its two values."""
    expanded: list[Node] = []
    for item in node.items:
        value = (
            item.members[-1] if isinstance(item, Relation) and item.ops and set(item.ops) == {"="} else item
        )
        if any(isinstance(part, Pm) for part in walk(value)):
            expanded += [_choose(value, 1), _choose(value, -1)]
        else:
            expanded.append(item)
    return expanded


def _choose(node: Node, sign: int) -> Node:
    """The expression with every plus-minus decided."""
    if isinstance(node, Pm):
        inner = _choose(node.term, sign)
        return inner if sign * node.sign > 0 else Mul((Num(Fraction(-1)), inner))
    return mapped(node, lambda part: _choose(part, sign))
