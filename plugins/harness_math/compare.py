"""Whether a prediction answers what the gold answers: the structure first, then its values.

This is the dispatch; the policies, each decided once and listed on the page verifier-math.md, are in the
modules of the structures. None means that this reader cannot tell.
"""

from __future__ import annotations

import functools
from typing import Final

from harness_math.cases import by_cases, is_by_cases
from harness_math.clocks import same_time
from harness_math.congruences import congruences, is_congruence, united
from harness_math.constants import one_constant
from harness_math.dates import same_day
from harness_math.intervals import as_intervals, conditions, is_list_of_spans
from harness_math.lists import sequences
from harness_math.matrices import holds_matrix, matrices
from harness_math.measures import bases, compound, quantities
from harness_math.names import plain
from harness_math.nodes import (
    MEET,
    Based,
    Clock,
    Day,
    Fn,
    Inf,
    Letters,
    Mul,
    Node,
    Opaque,
    Quantity,
    Relation,
    Seq,
    Sym,
    Union,
    Without,
    Words,
    children,
    walk,
)
from harness_math.ratios import is_ratio, ratios
from harness_math.relations import relations
from harness_math.same import Same, Terms
from harness_math.values import orderable, same_value


def equal(gold: Node, prediction: Node, terms: Terms) -> bool | None:
    """Whether two answers are the same answer; None when it cannot be told.

    Raises:
        CostBound: telling would cost too much.
    """
    if gold == prediction and not isinstance(gold, Opaque):
        return True
    gold, prediction = plain(gold), plain(prediction)
    same = functools.partial(equal, terms=terms)
    if isinstance(gold, Opaque) or isinstance(prediction, Opaque):
        return None
    if isinstance(gold, Clock) or isinstance(prediction, Clock):
        return isinstance(gold, Clock) and isinstance(prediction, Clock) and same_time(gold, prediction)
    if isinstance(gold, Day) or isinstance(prediction, Day):
        return isinstance(gold, Day) and isinstance(prediction, Day) and same_day(gold, prediction)
    if isinstance(gold, Letters) or isinstance(prediction, Letters):
        return _letters(gold, prediction, same)
    if is_by_cases(gold) or is_by_cases(prediction):
        if isinstance(gold, Relation) or isinstance(prediction, Relation):
            return relations(gold, prediction, same)
        return by_cases(gold, prediction, same)
    listed = isinstance(gold, Seq) or isinstance(prediction, Seq)
    if not listed and (is_congruence(gold) or is_congruence(prediction)):
        return congruences(gold, prediction, same)
    if listed and (together := united(gold, prediction)) is not None:
        return together
    gold, prediction = _coordinates(gold, prediction), _coordinates(prediction, gold)
    if isinstance(gold, Seq) != isinstance(prediction, Seq):
        gold, prediction = compound(gold), compound(prediction)
    if isinstance(gold, Union) and is_list_of_spans(prediction):
        prediction = Union(children(prediction))
    elif isinstance(prediction, Union) and is_list_of_spans(gold):
        gold = Union(children(gold))
    if conditions(gold) != conditions(prediction):
        return as_intervals(gold, prediction, same)
    if isinstance(gold, Relation) or isinstance(prediction, Relation):
        return relations(gold, prediction, same)
    if isinstance(gold, Quantity) or isinstance(prediction, Quantity):
        return quantities(gold, prediction, same, terms)
    if isinstance(gold, Words) or isinstance(prediction, Words):
        return _texts(gold, prediction)
    if holds_matrix(gold) or holds_matrix(prediction):
        return matrices(gold, prediction, same)
    if any(isinstance(n, Union | Without) or _meets(n) for n in (gold, prediction)):
        return as_intervals(gold, prediction, same)
    if isinstance(gold, Seq) or isinstance(prediction, Seq):
        return sequences(gold, prediction, same)
    if isinstance(gold, Based) or isinstance(prediction, Based):
        return bases(gold, prediction, same, terms)
    if is_ratio(gold) or is_ratio(prediction):
        return ratios(gold, prediction, same)
    if _has_infinity(gold) or _has_infinity(prediction):
        return (
            orderable(gold) == orderable(prediction)
            if _has_infinity(gold) and _has_infinity(prediction)
            else False
        )
    return same_value(gold, one_constant(gold, prediction), terms.tolerance)


#: Names of coordinates in their order.
_AXES: Final = ("xyz", "abcd", "pqr", "uvw", "mn")


def _coordinates(node: Node, other: Node) -> Node:
    """A point's coordinates without its name, `P(3, 4)`, where the other side gives none."""
    match node, other:
        case Mul((Sym(name), Seq("(", ")", _) as place)), Seq() if len(name) == 1 and name.isupper():
            return place
        case Seq("", "", items), Seq("(", ")", places) if len(items) == len(places):
            named = {
                item.members[0].name: item
                for item in items
                if isinstance(item, Relation) and item.ops == ("=",) and isinstance(item.members[0], Sym)
            }
            if any("".join(sorted(named)) in names for names in _AXES) and len(named) == len(items):
                return Seq("", "", tuple(named[name] for name in sorted(named)))
    return node


def _meets(node: Node) -> bool:
    return isinstance(node, Fn) and node.name == MEET


def _has_infinity(node: Node) -> bool:
    return any(isinstance(part, Inf) for part in walk(node))


def _texts(gold: Node, prediction: Node) -> bool | None:
    if isinstance(gold, Words) and isinstance(prediction, Words):
        return _essence(gold.text) == _essence(prediction.text)
    # Text with numbers in it may say the same in words; nobody here can tell.
    words = gold if isinstance(gold, Words) else prediction
    return None if any(c.isdigit() for c in getattr(words, "text", "")) else False


def _letters(gold: Node, prediction: Node, same: Same) -> bool | None:
    """Letters against letters or words: as they are spelled. Against anything else: the product."""
    if isinstance(gold, Letters) and isinstance(prediction, Letters):
        return gold.text == prediction.text
    for letters, other in ((gold, prediction), (prediction, gold)):
        if isinstance(letters, Letters) and isinstance(other, Words):
            return _essence(letters.text.lower()) == _essence(other.text)
        if isinstance(letters, Letters) and isinstance(other, Sym) and other.name.startswith("overline "):
            return letters.text == other.name.removeprefix("overline ")
        if isinstance(letters, Letters) and isinstance(other, Seq) and (options := _options(letters)):
            return other.left in ("", "{") and _names(other) == options
    return same(_product(gold), _product(prediction))


def _options(node: Letters) -> list[str]:
    """The letters of several options in their order, `ACD`; none for another run of capitals."""
    letters = list(node.text)
    return letters if letters == sorted(set(letters)) and letters[-1] <= "H" else []


def _names(node: Seq) -> list[str]:
    return sorted(item.name if isinstance(item, Sym) else "?" for item in node.items)


def _product(node: Node) -> Node:
    return Mul(tuple(Sym(letter) for letter in node.text)) if isinstance(node, Letters) else node


#: Words for the same answer.
_SYNONYMS: Final = {"dne": "doesnotexist", "limitdoesnotexist": "doesnotexist"}


def _essence(text: str) -> str:
    words = [w for w in text.split() if w not in ("the", "a", "an", "is", "are")]
    joined = "".join(words).replace("-", "").replace("'", "")
    return _SYNONYMS.get(joined, joined)
