"""Letters that stand for any number: constants of integration, and the whole number in a period."""

from __future__ import annotations

from typing import Final

from harness_math.evaluate import variables
from harness_math.nodes import Add, Node, Sym, substituted, walk

_CONSTANT: Final = frozenset({"C", "c", "K", "k", "C_1", "c_1"})
#: Names that the rest of an antiderivative depends on.
_ARGUMENTS: Final = frozenset({"x", "y", "z", "t", "u", "v", "s", "r", "theta"})
_WHOLE: Final = frozenset("jklmn")


def one_constant(gold: Node, prediction: Node) -> Node:
    """The prediction with its free constant called as the gold calls its own, where both have one."""
    return _integration(gold, prediction) or _period(gold, prediction) or prediction


def _integration(gold: Node, prediction: Node) -> Node | None:
    ours, theirs = _added(gold), _added(prediction)
    if ours is None or theirs is None or ours == theirs or not ours.startswith("C"):
        return None
    rest = variables(gold) - {ours}
    if not rest or not rest <= _ARGUMENTS or rest != variables(prediction) - {theirs}:
        return None
    return substituted(prediction, theirs, Sym(ours))


def _added(node: Node) -> str | None:
    """The only free constant of a sum that is a term of it, and nothing else."""
    if not isinstance(node, Add):
        return None
    names = [term.name for term in node.terms if isinstance(term, Sym) and term.name in _CONSTANT]
    if len(names) != 1 or sum(part == Sym(names[0]) for part in walk(node)) != 1:
        return None
    return names[0]


def _period(gold: Node, prediction: Node) -> Node | None:
    """An angle and the multiples of pi that may be added to it: any letter for a whole number."""
    ours, theirs = _turns(gold), _turns(prediction)
    if ours is None or theirs is None or ours == theirs:
        return None
    return substituted(prediction, theirs, Sym(ours))


def _turns(node: Node) -> str | None:
    names = variables(node)
    if not isinstance(node, Add) or len(names) != 1 or not names <= _WHOLE:
        return None
    (name,) = names
    moving = [term for term in node.terms if name in variables(term)]
    fixed = len(node.terms) - len(moving)
    return name if len(moving) == 1 and fixed and Sym("pi") in walk(moving[0]) else None
