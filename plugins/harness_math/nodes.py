"""What an answer is made of, after reading: a small expression tree.

Numbers are exact. `Opaque` holds what this reader does not understand; it equals its own source only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction


class CostBound(Exception):
    """The answer would cost too much to judge; refused before any of it is computed."""


class Unreadable(Exception):
    """Not something that this reader understands."""


@dataclass(frozen=True, slots=True)
class Num:
    """A literal. `decimals` counts the digits after its point, None for an integer literal."""

    value: Fraction
    decimals: int | None = None


@dataclass(frozen=True, slots=True)
class Sym:
    """A variable or a constant, with its subscript: `x`, `a_n`, `pi`."""

    name: str


@dataclass(frozen=True, slots=True)
class Inf:
    """Positive infinity."""


@dataclass(frozen=True, slots=True)
class Based:
    """Digits in a base: `2516_8`."""

    digits: str
    base: int


@dataclass(frozen=True, slots=True)
class Add:
    terms: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Mul:
    factors: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Div:
    top: Node
    bottom: Node


@dataclass(frozen=True, slots=True)
class Pow:
    base: Node
    exponent: Node


@dataclass(frozen=True, slots=True)
class Pm:
    """`sign` is +1 for plus-minus and -1 for minus-plus applied to the term."""

    term: Node
    sign: int


@dataclass(frozen=True, slots=True)
class Fn:
    """A named function of its arguments: `sin`, `sqrt`, `log` (with its base second), `factorial`."""

    name: str
    args: tuple[Node, ...]


#: The function that stands for a set-builder of an expression: `{2^n | n > 0}`.
BUILT = "set of"
#: The function that stands for an intersection.
MEET = "intersection"
#: What the names of functions begin with that join statements.
LOGIC = "logic "
#: The function that stands for a value by cases: values and conditions in turn.
CASES = "cases"


@dataclass(frozen=True, slots=True)
class Words:
    """Text, normalised."""

    text: str


@dataclass(frozen=True, slots=True)
class Quantity:
    """A value and the unit written after it (`%`, `degree`, `cm^2`, any word)."""

    value: Node
    unit: str


@dataclass(frozen=True, slots=True)
class Relation:
    """`members[0] ops[0] members[1] ops[1] ...` with ops among = < > <= >= != ~
    (approximately), -> (leads to), in, mid (divides), ≡ (the same function, or congruent)."""

    members: tuple[Node, ...]
    ops: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Seq:
    """Items in brackets: `(` `[` `{` (a set) `<` (a vector), or "" for a bare list."""

    left: str
    right: str
    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Union:
    """Sets joined by cup (or by `or` between inequalities)."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Without:
    """A set minus another."""

    whole: Node
    removed: Node


@dataclass(frozen=True, slots=True)
class Matrix:
    rows: tuple[tuple[Node, ...], ...]


@dataclass(frozen=True, slots=True)
class Modular:
    """A value, or a congruence, up to multiples of a modulus: `2 \\pmod 5`, `n \\equiv 2 \\pmod 5`."""

    value: Node
    modulus: Node


@dataclass(frozen=True, slots=True)
class Letters:
    """A run of letters that is a whole item: a word (`HT`), a name (`AB`) or a product (`xyz`)."""

    text: str


@dataclass(frozen=True, slots=True)
class Clock:
    """A time of day in seconds after midnight or noon; `half` is `a`, `p` or "" where nobody says. `sure`:
    it can be nothing else, as digits with a colon can be a ratio."""

    seconds: int
    half: str
    sure: bool


@dataclass(frozen=True, slots=True)
class Day:
    """A date; `year` is None where nobody says which."""

    year: int | None
    month: int
    day: int


@dataclass(frozen=True, slots=True)
class Opaque:
    """Source that this reader does not understand."""

    source: str


Node = (
    Num
    | Sym
    | Inf
    | Based
    | Add
    | Mul
    | Div
    | Pow
    | Pm
    | Fn
    | Words
    | Quantity
    | Relation
    | Seq
    | Union
    | Without
    | Matrix
    | Modular
    | Letters
    | Clock
    | Day
    | Opaque
)


def children(node: Node) -> tuple[Node, ...]:
    """The direct parts of a node."""
    match node:
        case Add(parts) | Mul(parts) | Union(parts):
            return parts
        case Fn(_, args):
            return args
        case Div(a, b) | Pow(a, b) | Without(a, b) | Modular(a, b):
            return (a, b)
        case Pm(a, _) | Quantity(a, _):
            return (a,)
        case Relation(members, _):
            return members
        case Seq(_, _, items):
            return items
        case Matrix(rows):
            return tuple(item for row in rows for item in row)
        case _:
            return ()


def walk(node: Node) -> list[Node]:
    """The node and all below it."""
    nodes, todo = [], [node]
    while todo:
        current = todo.pop()
        nodes.append(current)
        todo.extend(children(current))
    return nodes


def mapped(node: Node, change: Callable[[Node], Node]) -> Node:
    """The node with each of its direct parts changed."""
    match node:
        case Add(parts):
            return Add(tuple(map(change, parts)))
        case Mul(parts):
            return Mul(tuple(map(change, parts)))
        case Union(parts):
            return Union(tuple(map(change, parts)))
        case Fn(name, args):
            return Fn(name, tuple(map(change, args)))
        case Div(top, bottom):
            return Div(change(top), change(bottom))
        case Pow(base, exponent):
            return Pow(change(base), change(exponent))
        case Pm(term, sign):
            return Pm(change(term), sign)
        case Quantity(value, unit):
            return Quantity(change(value), unit)
        case Relation(members, ops):
            return Relation(tuple(map(change, members)), ops)
        case Seq(left, right, items):
            return Seq(left, right, tuple(map(change, items)))
        case Without(whole, removed):
            return Without(change(whole), change(removed))
        case Matrix(rows):
            return Matrix(tuple(tuple(map(change, row)) for row in rows))
        case Modular(value, modulus):
            return Modular(change(value), change(modulus))
        case _:
            return node


def substituted(node: Node, name: str, value: Node) -> Node:
    """The node with a symbol replaced."""
    if node == Sym(name):
        return value
    return mapped(node, lambda part: substituted(part, name, value))
