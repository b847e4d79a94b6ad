"""Whether a prediction answers what the gold answers: the structure first, then its values.

This is the dispatch; the policies, each decided once and listed in docs/verifier-math.md, are in the
modules of the structures. None means that this reader cannot tell.
"""

from __future__ import annotations

import functools

from harness_math.intervals import as_intervals, conditions
from harness_math.lists import sequences
from harness_math.matrices import holds_matrix, matrices
from harness_math.measures import bases, quantities
from harness_math.names import plain
from harness_math.nodes import Based, Inf, Node, Opaque, Quantity, Relation, Seq, Union, Without, Words, walk
from harness_math.relations import relations
from harness_math.same import Terms
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
    if conditions(gold) != conditions(prediction):
        return as_intervals(gold, prediction, same)
    if isinstance(gold, Relation) or isinstance(prediction, Relation):
        return relations(gold, prediction, same)
    if isinstance(gold, Quantity) or isinstance(prediction, Quantity):
        return quantities(gold, prediction, same, terms)
    if isinstance(gold, Opaque) or isinstance(prediction, Opaque):
        return None
    if isinstance(gold, Words) or isinstance(prediction, Words):
        return _texts(gold, prediction)
    if holds_matrix(gold) or holds_matrix(prediction):
        return matrices(gold, prediction, same)
    if isinstance(gold, Union | Without) or isinstance(prediction, Union | Without):
        return as_intervals(gold, prediction, same)
    if isinstance(gold, Seq) or isinstance(prediction, Seq):
        return sequences(gold, prediction, same)
    if isinstance(gold, Based) or isinstance(prediction, Based):
        return bases(gold, prediction, same, terms)
    if _has_infinity(gold) or _has_infinity(prediction):
        return (
            orderable(gold) == orderable(prediction)
            if _has_infinity(gold) and _has_infinity(prediction)
            else False
        )
    return same_value(gold, prediction, terms.tolerance)


def _has_infinity(node: Node) -> bool:
    return any(isinstance(part, Inf) for part in walk(node))


def _texts(gold: Node, prediction: Node) -> bool | None:
    if isinstance(gold, Words) and isinstance(prediction, Words):
        if gold.text[:1].isdigit() and len({len(gold.text), len(prediction.text)}) == 2:
            # Times of day, of which one says which half.
            longer, shorter = sorted((gold.text, prediction.text), key=len, reverse=True)
            return longer in (f"{shorter} a", f"{shorter} p")
        return _essence(gold.text) == _essence(prediction.text)
    # Text with numbers in it may say the same in words.
    words = gold if isinstance(gold, Words) else prediction
    return None if any(c.isdigit() for c in getattr(words, "text", "")) else False


def _essence(text: str) -> str:
    words = [w for w in text.split() if w not in ("the", "a", "an", "is", "are")]
    return "".join(words).replace("-", "").replace("'", "")
