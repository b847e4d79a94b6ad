"""Sets of finitely many values that are described: `{x in Z : |x| <= 1}`, `{3^k : k = 0, 1, 2}`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Final

from harness_math.evaluate import Inexact, exact, variables
from harness_math.nodes import CostBound, Fn, Modular, Node, Num, Relation, Seq, Sym, substituted

#: Whole numbers up to this size are tried; a set that reaches the outer half is taken for infinite.
REACH: Final = 200
#: Most members of a set that is written out.
MEMBERS: Final = 50
_WHOLE: Final = frozenset({"𝔹Z", "𝔹N", "𝔹Z+"})
#: Letters of an index that stand for whole numbers where nothing else is said.
_INDICES: Final = frozenset("ijklmn")

_HOLDS: Final[Mapping[str, Callable[[Fraction, Fraction], bool]]] = {
    "<": lambda a, b: a < b,
    ">": lambda a, b: a > b,
    "<=": lambda a, b: a <= b,
    ">=": lambda a, b: a >= b,
    "=": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "mid": lambda a, b: a != 0 and (b / a).denominator == 1,
}


def written_out(of: Node, condition: Node) -> Seq | None:
    """The members of the set of `of` under a condition on one whole number; None where there are too many,
    or it cannot be told."""
    conditions = list(condition.items) if isinstance(condition, Seq) and not condition.left else [condition]
    domains = [part for part in (of, *conditions) if _domain(part)]
    stated = [part for part in conditions if not _domain(part)]
    value = of.members[0] if isinstance(of, Relation) and _domain(of) else of
    names = variables(value)
    if len(names) != 1:
        return None
    (name,) = names
    if not domains and (isinstance(value, Sym) or name not in _INDICES):
        return None
    if any(isinstance(part, Relation) and part.members[0] != Sym(name) for part in domains):
        return None
    numbers = _listed(name, stated)
    if numbers is None:
        numbers = _solutions(name, stated, least=max(map(_least, domains), default=-REACH))
        if numbers is not None and 0 in numbers and 0 in map(_least, domains):
            return None  # whether 0 is a natural number, nobody says
    if not numbers or len(numbers) > MEMBERS:
        return None
    return Seq("{", "}", tuple(substituted(value, name, Num(Fraction(k))) for k in numbers))


def _domain(node: Node) -> bool:
    """Whether a node says that a name is a whole number."""
    match node:
        case Relation((Sym(), Sym(domain)), ("in",)):
            return domain in _WHOLE
    return False


def _listed(name: str, conditions: list[Node]) -> list[int] | None:
    """The values of a name that are listed: `k = 0, 1, 2`, `k = 0, 1, ..., 4`, `k in {0, 1}`."""
    match conditions:
        case [Relation((Sym(said), Seq("{", "}", items)), ("in",))] if said == name:
            values = items
        case [Relation((Sym(said), first), ("=",)), *rest] if said == name:
            values = (first, *rest)
        case _:
            return None
    dots = [i for i, value in enumerate(values) if value == Sym("…")]
    numbers = [
        int(value.value) for value in values if isinstance(value, Num) and value.value.denominator == 1
    ]
    if len(numbers) + len(dots) != len(values):
        return None
    if not dots:
        return numbers
    if dots != [len(values) - 2] or len(numbers) < 2:
        return None
    *head, last = numbers
    step = head[1] - head[0] if len(head) > 1 else 1
    if step <= 0 or head != list(range(head[0], head[-1] + 1, step)) or (last - head[0]) % step:
        return None
    return list(range(head[0], last + 1, step)) if last - head[0] <= step * MEMBERS else None


def _least(domain: Node) -> int:
    """The least number of a set of whole numbers that is looked at."""
    assert isinstance(domain, Relation)
    least: dict[Node, int] = {Sym("𝔹N"): 0, Sym("𝔹Z+"): 1}
    return least.get(domain.members[1], -REACH)


def _solutions(name: str, conditions: list[Node], *, least: int) -> list[int] | None:
    """The whole numbers for which all conditions hold; None where they seem to have no end."""
    if not conditions or any(variables(condition) != {name} for condition in conditions):
        return None
    solutions = []
    try:
        for k in sorted(range(least, REACH + 1), key=abs, reverse=True):
            if all(_holds(substituted(condition, name, Num(Fraction(k)))) for condition in conditions):
                if abs(k) > REACH // 2:
                    return None
                solutions.append(k)
    except (Inexact, CostBound):
        return None
    return solutions


def _holds(node: Node) -> bool:
    """Whether a condition without unknowns holds.

    Raises:
        Inexact: that cannot be told by arithmetic alone.
    """
    match node:
        case Relation(members, ops) if all(op in _HOLDS for op in ops):
            values = [exact(member) for member in members]
            return all(_HOLDS[op](a, b) for op, a, b in zip(ops, values, values[1:], strict=False))
        case Modular(Relation((left, right), ("≡" | "=",)), modulus):
            size = exact(modulus)
            return size != 0 and ((exact(left) - exact(right)) / size).denominator == 1
        case Fn(name, args) if name.startswith("logic"):
            holds = [_holds(arg) for arg in args]
            return all(holds) if name.endswith("∧") else any(holds)
    raise Inexact(type(node).__name__)
