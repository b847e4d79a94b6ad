"""Matrices, vectors and simple arithmetic with them."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Final

from harness_math.nodes import Add, Matrix, Mul, Node, Num, Seq, Sym, children
from harness_math.same import Same, every

#: Largest determinant that is written out, in rows.
LARGEST: Final = 4


def matrices(gold: Node, prediction: Node, same: Same) -> bool | None:
    ours, theirs = _rows(gold), _rows(prediction)
    if ours is None or theirs is None:
        return False
    if isinstance(gold, Seq) or isinstance(prediction, Seq):
        # A column, a row and a tuple of the same numbers are the same vector.
        ours, theirs = _flat(ours), _flat(theirs)
    if [len(row) for row in ours] != [len(row) for row in theirs]:
        return False
    return every([same(a, b) for x, y in zip(ours, theirs, strict=True) for a, b in zip(x, y, strict=True)])


def holds_matrix(node: Node) -> bool:
    """Whether a node is a matrix, or arithmetic with matrices or vectors."""
    return isinstance(node, Matrix) or (
        isinstance(node, Mul | Add) and any(holds_matrix(part) or _is_vector(part) for part in children(node))
    )


def _is_vector(node: Node) -> bool:
    return (
        isinstance(node, Seq) and node.left in ("(", "<") and node.right in (")", ">") and len(node.items) > 1
    )


#: Names of the unit vectors of the axes, in their order.
_AXES: Final = tuple(
    frozenset(
        {letter, *(f"{accent} {name}" for accent in ("hat", "vec", "overline") for name in names.split())}
    )
    for letter, names in (("i", "i imath"), ("j", "j jmath"), ("k", "k"))
)


def along_axes(node: Node, size: int) -> Seq | None:
    """The entries of a sum of multiples of unit vectors; None for anything else."""
    entries: dict[int, Node] = {}
    for term in node.terms if isinstance(node, Add) else (node,):
        factors = _factors(term)
        axes = [(i, at) for at, factor in enumerate(factors) for i in range(size) if _is_along(factor, i)]
        if len(axes) != 1 or axes[0][0] in entries:
            return None
        i, at = axes[0]
        entries[i] = Mul((Num(Fraction(1)), *factors[:at], *factors[at + 1 :]))
    return Seq("<", ">", tuple(entries.get(i, Num(Fraction(0))) for i in range(size)))


def _is_along(node: Node, axis: int) -> bool:
    return isinstance(node, Sym) and node.name in _AXES[axis]


def _factors(node: Node) -> list[Node]:
    return [f for factor in node.factors for f in _factors(factor)] if isinstance(node, Mul) else [node]


def determinant(rows: Sequence[Sequence[Node]]) -> Node | None:
    """The determinant of a small square matrix, written out; None for others."""
    size = len(rows)
    if size > LARGEST or any(len(row) != size for row in rows):
        return None
    if size == 1:
        return rows[0][0]
    terms: list[Node] = []
    for i, entry in enumerate(rows[0]):
        minor = determinant([[*row[:i], *row[i + 1 :]] for row in rows[1:]])
        assert minor is not None
        terms.append(Mul((Num(Fraction((-1) ** i)), entry, minor)))
    return Add(tuple(terms))


def _rows(node: Node) -> list[list[Node]] | None:
    """The entries of a matrix, of sums of matrices and of numbers times matrices; None for others."""
    if isinstance(node, Matrix):
        return [list(row) for row in node.rows]
    if isinstance(node, Add):
        parts = [_rows(term) for term in node.terms]
        if any(part is None or [len(r) for r in part] != [len(r) for r in parts[0] or []] for part in parts):
            return None
        known = [part for part in parts if part is not None]
        return [[Add(tuple(items)) for items in zip(*rows, strict=True)] for rows in zip(*known, strict=True)]
    if isinstance(node, Mul) and len(node.factors) == 2 and holds_matrix(node):
        left, right = node.factors
        if _is_vector(left) and _is_vector(right):
            return None
        if holds_matrix(left) and holds_matrix(right):
            return _product(_rows(left), _rows(right))
        scalar, matrix = (right, left) if holds_matrix(left) or _is_vector(left) else (left, right)
        rows = _rows(matrix)
        return None if rows is None else [[Mul((scalar, item)) for item in row] for row in rows]
    if isinstance(node, Seq) and node.left in ("(", "[", "<", ""):
        if all(isinstance(item, Seq) and item.left in ("[", "(") for item in node.items):
            return [list(item.items) for item in node.items if isinstance(item, Seq)]
        return [list(node.items)]
    return None


def _product(left: list[list[Node]] | None, right: list[list[Node]] | None) -> list[list[Node]] | None:
    if left is None or right is None or len(left[0]) != len(right) or len(left) * len(right) > 100:
        return None
    columns = list(zip(*right, strict=True))
    return [
        [Add(tuple(Mul((a, b)) for a, b in zip(row, column, strict=True))) for column in columns]
        for row in left
    ]


def _flat(rows: list[list[Node]]) -> list[list[Node]]:
    if len(rows) == 1 or all(len(row) == 1 for row in rows):
        return [[item for row in rows for item in row]]
    return rows
