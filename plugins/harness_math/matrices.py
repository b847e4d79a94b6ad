"""Matrices, vectors and simple arithmetic with them."""

from __future__ import annotations

from harness_math.nodes import Add, Matrix, Mul, Node, Seq, children
from harness_math.same import Same, every


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
    return isinstance(node, Matrix) or (
        isinstance(node, Mul | Add) and any(holds_matrix(part) for part in children(node))
    )


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
        if holds_matrix(left) and holds_matrix(right):
            return _product(_rows(left), _rows(right))
        scalar, matrix = (right, left) if holds_matrix(left) else (left, right)
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
