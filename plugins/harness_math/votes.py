"""Whether two extracted answers are one vote. The library is not asked: this runs in the driver."""

from __future__ import annotations

from harness.contract import AnswerSpec
from harness_math.extract import Extracted
from harness_math.nodes import CostBound
from harness_math.verifier import judge


def same_answer(a: str, b: str) -> bool:
    """Whether each is right where the other is the gold. Bounded as every comparison is; what is refused
    for its cost is another answer."""
    if a == b:
        return True
    try:
        return _right(a, b) and _right(b, a)
    except CostBound:
        return False


def _right(gold: str, answer: str) -> bool:
    return judge((gold,), Extracted(answer, "vote"), AnswerSpec(), use_library=False).right
