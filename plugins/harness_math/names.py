"""What is only a name, and what stands for itself: the plain form of an answer."""

from __future__ import annotations

from fractions import Fraction
from typing import Final

from harness_math.nodes import Add, Fn, Inf, Mul, Node, Num, Relation, Seq, Sym, Union, Words, walk

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


def plain(node: Node) -> Node:
    """One item in brackets is that item; names for nothing and everything are symbols."""
    if isinstance(node, Seq) and len(node.items) == 1 and node.left in ("[", "", "(", "{", "<"):
        return plain(node.items[0])
    if isinstance(node, Seq) and node.left == "":
        # `n in Z` says where a parameter comes from, not what the answer is.
        items = tuple(item for item in node.items if not _is_domain(item))
        if 0 < len(items) < len(node.items):
            return plain(Seq("", "", items))
    if isinstance(node, Words):
        if node.text in _NOTHING:
            return Sym("∅")
        if node.text in _EVERYTHING:
            return interval_node(minus_infinity(), Inf())
        if node.text in _COUNTS:
            return Num(Fraction(_COUNTS[node.text]))
    if isinstance(node, Sym) and node.name == "ℝ":
        return interval_node(minus_infinity(), Inf())
    if isinstance(node, Relation) and node.ops == ("in",):
        return plain(node.members[1])
    if isinstance(node, Union) and len(node.parts) == 1:
        return plain(node.parts[0])
    return node


def _is_domain(node: Node) -> bool:
    return (
        isinstance(node, Relation)
        and node.ops == ("in",)
        and isinstance(node.members[1], Sym)
        and node.members[1].name in ("𝔹Z", "𝔹N", "𝔹Q", "𝔹C", "ℝ")
    )


def is_name(node: Node) -> bool:
    parts = walk(node)
    if isinstance(node, Words):
        return True
    allowed = all(isinstance(p, Sym | Mul | Add | Seq | Fn | Words) for p in parts)
    functions = all(
        p.name in ("ratio", "prime", "abs", "max", "min", "degree") for p in parts if isinstance(p, Fn)
    )
    constants = any(isinstance(p, Sym) and p.name in ("pi", "∅", "ℝ") for p in parts)
    return allowed and functions and not constants and any(isinstance(p, Sym | Words) for p in parts)


def minus_infinity() -> Node:
    return Mul((Num(Fraction(-1)), Inf()))


def interval_node(low: Node, high: Node) -> Node:
    return Seq("(", ")", (low, high))
