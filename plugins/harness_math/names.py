"""What is only a name, and what stands for itself: the plain form of an answer."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Final

from harness_math.counts import count
from harness_math.evaluate import CALL
from harness_math.nodes import (
    MEET,
    Add,
    Div,
    Fn,
    Inf,
    Letters,
    Mul,
    Node,
    Num,
    Quantity,
    Relation,
    Seq,
    Sym,
    Union,
    Without,
    Words,
    walk,
)
from harness_math.units import unit

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
#: Words for the sets of numbers that have a letter.
_DOMAINS: Final = {
    f"{which}{name}{end}": letter
    for which in ("", "all ", "any ")
    for name, letter in (
        ("integer", "𝔹Z"),
        ("positive integer", "𝔹Z+"),
        ("natural number", "𝔹N"),
        ("rational number", "𝔹Q"),
        ("complex number", "𝔹C"),
    )
    for end in ("", "s")
}
_EVERYTHING: Final = frozenset({"all real numbers", "all reals", "any real number", "all real number", "ℝ"})
#: The reals without one: `all real numbers except 1`.
_EXCEPT: Final = re.compile(
    r"all (?:real numbers?|reals)(?: [a-z])? (?:except|other than|but|not equal to)(?: for)?(?: [a-z]?)? ?"
    r"(-?\d+)(?:/(\d+))?"
)


def plain(node: Node) -> Node:
    """One item in brackets is that item; names for nothing and everything are symbols."""
    if isinstance(node, Seq) and len(node.items) == 1 and not _holds_a_set(node):
        return plain(node.items[0])
    if isinstance(node, Seq) and node.left == "":
        # `n in Z` says where a parameter comes from, not what the answer is.
        items = tuple(item for item in node.items if not _is_domain(item))
        if 0 < len(items) < len(node.items):
            return plain(Seq("", "", items))
    if isinstance(node, Words):
        if node.text in _NOTHING:
            return Sym("∅")
        if node.text in ("infinity", "positive infinity"):
            return Inf()
        if node.text in _EVERYTHING:
            return interval_node(minus_infinity(), Inf())
        letter = _DOMAINS.get(node.text.removeprefix("the ").removeprefix("set of "))
        if letter is not None:
            return Sym(letter)
        return _counted(node)
    if isinstance(node, Sym) and node.name == "ℝ":
        return interval_node(minus_infinity(), Inf())
    if isinstance(node, Add) and node.terms[0] == Sym("ℝ") and len(node.terms) == 2:
        removed = node.terms[1]
        if isinstance(removed, Mul) and removed.factors[0] == Num(Fraction(-1)):
            # R - {0}: what is taken away is a set.
            return Without(interval_node(minus_infinity(), Inf()), removed.factors[-1])
    if isinstance(node, Relation) and node.ops == ("in",) and not isinstance(node.members[0], Num):
        return plain(node.members[1])
    if isinstance(node, Union) and len(node.parts) == 1:
        return plain(node.parts[0])
    return node


def _holds_a_set(node: Seq) -> bool:
    """Whether a set has a set, or the empty one, as its only member."""
    (item,) = node.items
    return node.left == "{" and (item == Sym("∅") or (isinstance(item, Seq) and item.left == "{"))


def _counted(node: Words) -> Node:
    """Words that say a number, or how many of a unit; other words as they are."""
    value = count(node.text)
    if value is not None:
        return (
            Num(value)
            if value.denominator == 1
            else Div(Num(Fraction(value.numerator)), Num(Fraction(value.denominator)))
        )
    number, _, name = node.text.rpartition(" ")
    value = count(number) if number and unit(name) is not None else None
    if value is not None:
        return Quantity(Num(value), name)
    left_out = _EXCEPT.fullmatch(node.text)
    if left_out is not None:
        hole = Num(Fraction(int(left_out[1]), int(left_out[2] or 1)))
        return Without(interval_node(minus_infinity(), Inf()), hole)
    return node


def _is_domain(node: Node) -> bool:
    return (
        isinstance(node, Relation)
        and node.ops == ("in",)
        and isinstance(node.members[1], Sym)
        and node.members[1].name in ("𝔹Z", "𝔹Z+", "𝔹N", "𝔹Q", "𝔹C", "ℝ")
    )


def is_name(node: Node) -> bool:
    parts = walk(node)
    if isinstance(node, Words):
        return True
    allowed = all(isinstance(p, Sym | Mul | Div | Add | Seq | Fn | Words | Letters | Union) for p in parts)
    functions = all(
        p.name in ("ratio", "abs", "max", "min", "degree", MEET, "sin", "cos", "tan", "cot", "sec", "csc")
        or p.name.startswith(("prime", CALL))
        for p in parts
        if isinstance(p, Fn)
    )
    constants = any(isinstance(p, Sym) and p.name in ("pi", "∅", "ℝ") for p in parts)
    return (
        allowed and functions and not constants and any(isinstance(p, Sym | Words | Letters) for p in parts)
    )


def minus_infinity() -> Node:
    return Mul((Num(Fraction(-1)), Inf()))


def interval_node(low: Node, high: Node) -> Node:
    return Seq("(", ")", (low, high))
