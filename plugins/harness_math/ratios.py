"""Ratios of any number of terms: equal where all terms are in proportion."""

from __future__ import annotations

from fractions import Fraction

from harness_math.nodes import Div, Fn, Mul, Node, Num, Quantity, children
from harness_math.same import Same, every
from harness_math.units import unit


def is_ratio(node: Node) -> bool:
    return isinstance(node, Fn) and node.name == "ratio"


def ratios(gold: Node, prediction: Node, same: Same) -> bool | None:
    """A ratio of two terms is also their quotient; of more terms it is no number."""
    if not is_ratio(gold) or not is_ratio(prediction):
        ours_alone, theirs_alone = _quotient(gold), _quotient(prediction)
        if ours_alone is None or theirs_alone is None:
            return False
        return same(ours_alone, theirs_alone)
    ours, theirs = _terms(gold), _terms(prediction)
    if len(ours) != len(theirs):
        return False
    zero: Node = Num(Fraction(0))
    if any(same(a, zero) != same(b, zero) for a, b in zip(ours, theirs, strict=True)):
        return False
    pivot = next((i for i, term in enumerate(ours) if not same(term, zero)), 0)
    return every([
        same(Mul((a, theirs[pivot])), Mul((b, ours[pivot]))) for a, b in zip(ours, theirs, strict=True)
    ])  # fmt: skip


def _quotient(node: Node) -> Node | None:
    """A ratio of two terms as a number, anything else as it is; None for a ratio of more terms."""
    if not is_ratio(node):
        return node
    terms = _terms(node)
    return Div(terms[0], terms[1]) if len(terms) == 2 else None


def _terms(node: Node) -> list[Node]:
    """The terms of a ratio, in one unit where all have one."""
    args = children(node)
    units = [unit(term.unit) if isinstance(term, Quantity) else None for term in args]
    first = units[0]
    terms = [term.value if isinstance(term, Quantity) else term for term in args]
    if first is None:
        return terms
    scaled: list[Node] = [
        Mul((Num(known.factor / first.factor), term))
        for known, term in zip(units, terms, strict=True)
        if known is not None and known.dimensions == first.dimensions
    ]
    return scaled if len(scaled) == len(terms) else terms
