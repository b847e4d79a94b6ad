"""Congruences and divisibility: sets of whole numbers that a residue and a modulus describe."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from harness_math.evaluate import Inexact, exact, variables
from harness_math.nodes import Add, Fn, Modular, Mul, Node, Num, Relation, Seq, Sym, substituted
from harness_math.same import Same

#: Longest common period of two congruences that is looked through, in whole numbers.
PERIOD: Final = 600
_MINUS_ONE: Final = Num(Fraction(-1))


@dataclass(frozen=True, slots=True)
class _Congruence:
    """`left` is congruent to `residue`; None where only the residue is said."""

    left: Node | None
    residue: Node
    modulus: Node
    divides: bool = False


def is_congruence(node: Node) -> bool:
    match node:
        case Modular() | Relation(_, ("mid",)) | Relation((_, Fn("mod", _)), ("≡",)):
            return True
    return False


def congruences(gold: Node, prediction: Node, same: Same) -> bool | None:
    """Whether two answers, of which one has a modulus, are the same. A residue may be said with its modulus
    or without; a congruence of something is a condition, which no number alone says."""
    ours, theirs = _of(gold), _of(prediction)
    if any(
        said is not None and said.left is not None and not variables(said.left) for said in (ours, theirs)
    ):
        return gold == prediction  # statements about numbers, no answers
    if ours is None:
        return (
            theirs is not None
            and not theirs.divides
            and not isinstance(gold, Relation)
            and (same(gold, theirs.residue))
        )
    if theirs is None:
        return ours.left is None and same(ours.residue, prediction)
    if ours.left is not None and theirs.left is not None:
        solved = _solutions(ours, theirs)
        if solved is not None:
            return solved
        if not same(ours.left, theirs.left):
            return False
    return same(ours.modulus, theirs.modulus) is True and _congruent(ours, theirs, same)


def united(gold: Node, prediction: Node) -> bool | None:
    """Whether two answers, of which one is a list of residues of one modulus, have the same solutions; None
    where they are something else. Together they are one set: `0 or 3 (mod 6)` is `0 (mod 3)`."""
    ours, theirs = _residues(gold), _residues(prediction)
    if ours is None or theirs is None:
        return None
    period = math.lcm(ours.modulus, theirs.modulus)
    if (ours.left is not None and theirs.left is not None and ours.left != theirs.left) or period > PERIOD:
        return None
    return all((x % ours.modulus in ours.said) == (x % theirs.modulus in theirs.said) for x in range(period))


@dataclass(frozen=True, slots=True)
class _Residues:
    """What is congruent to one of some residues; None where only the residues are said."""

    left: Node | None
    modulus: int
    said: frozenset[int]


def _residues(node: Node) -> _Residues | None:
    """A list of congruences of one name and one modulus, or one congruence."""
    items = node.items if isinstance(node, Seq) and not node.left else (node,)
    known = [c for c in map(_of, items) if c is not None and not c.divides]
    names = {c.left for c in known if c.left is not None}
    if len(known) != len(items) or len(names) > 1 or not all(isinstance(name, Sym) for name in names):
        return None
    try:
        moduli, residues = {exact(c.modulus) for c in known}, {exact(c.residue) for c in known}
    except Inexact:
        return None
    modulus = moduli.pop()
    if moduli or modulus <= 0 or any(value.denominator != 1 for value in (modulus, *residues)):
        return None
    return _Residues(next(iter(names), None), int(modulus), frozenset(int(r % modulus) for r in residues))


def _congruent(ours: _Congruence, theirs: _Congruence, same: Same) -> bool | None:
    try:
        difference = (exact(ours.residue) - exact(theirs.residue)) / exact(ours.modulus)
    except (Inexact, ZeroDivisionError):
        return same(ours.residue, theirs.residue)
    return difference.denominator == 1


def _of(node: Node) -> _Congruence | None:
    match node:
        case Modular(Relation((left, right), ("=" | "≡",)), modulus):
            return _Congruence(left, right, modulus)
        case Modular(value, modulus):
            return _Congruence(None, value, modulus)
        case Relation((left, Fn("mod", (right, modulus))), ("=" | "≡",)):
            return _Congruence(left, right, modulus)
        case Relation((modulus, left), ("mid",)):
            return _Congruence(left, Num(Fraction(0)), modulus, divides=True)
        case Relation((Sym() as left, value), ("=",)):
            return _of_multiples(left, value)
    return None


def _of_multiples(left: Sym, value: Node) -> _Congruence | None:
    """`n = 4k + 1`: all whole numbers k."""
    names = variables(value)
    if len(names) != 1 or left.name in names:
        return None
    (name,) = names
    try:
        zero, one, two = (exact(substituted(value, name, Num(Fraction(k)))) for k in (0, 1, 2))
    except Inexact:
        return None
    step = one - zero
    if step == 0 or two - one != step or step.denominator != 1 or zero.denominator != 1:
        return None
    return _Congruence(left, Num(zero), Num(abs(step)))


def _solutions(ours: _Congruence, theirs: _Congruence) -> bool | None:
    """Whether two congruences of one unknown have the same solutions; None when they cannot be counted."""
    both = [
        (Add((c.left, Mul((_MINUS_ONE, c.residue)))), c.modulus) for c in (ours, theirs) if c.left is not None
    ]
    names = {name for difference, modulus in both for name in variables(difference) | variables(modulus)}
    if len(names) != 1 or any(variables(modulus) for _, modulus in both):
        return None
    (name,) = names
    try:
        moduli = [abs(exact(modulus)) for _, modulus in both]
        if any(m.denominator != 1 or m == 0 for m in moduli):
            return None
        period = math.lcm(*(int(m) for m in moduli))
        if period > PERIOD:
            return None
        sets = [
            [
                (exact(substituted(difference, name, Num(Fraction(x)))) / m).denominator == 1
                for x in range(period)
            ]
            for (difference, _), m in zip(both, moduli, strict=True)
        ]
    except Inexact:
        return None
    return sets[0] == sets[1]
