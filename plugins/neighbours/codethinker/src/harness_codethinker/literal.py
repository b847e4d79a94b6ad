"""Verifier `literal`: a Python literal that equals the right one, as CRUXEval-O is scored.

The answer stands between `[ANSWER]` and `[/ANSWER]`, the last time; without these it is the whole text. Of
an assertion, the part behind the last `==` counts. Nothing is run: an answer that is no literal is wrong,
where CRUXEval's own script would run it.
"""

from __future__ import annotations

import ast
from typing import Any, Final

from harness.contract import BuildContext, Rollout, Task, Verdict
from harness.recording import verifier_hash

NAME: Final = "staged-harness-codethinker/literal"
BEGIN, END = "[ANSWER]", "[/ANSWER]"
#: Longest answer that is read, in characters; CRUXEval's longest is shorter by far.
LONGEST: Final = 5_000


class Literal:
    """Compares literals by Python's `==` (protocol `Verifier`)."""

    def __init__(self, options: None, context: BuildContext) -> None:
        self.hash = verifier_hash(__name__)

    def open(self) -> None:
        """Nothing to acquire."""

    def check(self, task: Task) -> str | None:
        """Why no completion of the task could be judged."""
        return None if read(str(task.answer)) is not NOTHING else "its answer is no Python literal"

    def verify(self, task: Task, rollout: Rollout) -> Verdict:
        """The evidence about one rollout."""
        said = stated(rollout.text)
        value = read(said)
        right = value is not NOTHING and not rollout.truncated and _equal(value, read(str(task.answer)))
        return Verdict(
            status="pass" if right else "no_answer" if not said else "fail",
            score=float(right),
            verifier=NAME,
            verifier_hash=self.hash,
            extracted=said[:200].encode(errors="replace").decode() or None,
            reason="" if right or not said or value is not NOTHING else "no Python literal",
        )

    def close(self) -> None:
        """Nothing to give back."""


NOTHING: Final = object()


def stated(text: str) -> str:
    """The answer's text; empty if there is none."""
    if BEGIN in text:
        text = text.rpartition(BEGIN)[2].partition(END)[0]
    text = text.strip()
    if text.startswith("assert ") and "==" in text:
        text = text.rpartition("==")[2].strip()
    return text


def read(text: str) -> Any:
    """The literal's value; `NOTHING` for what is none."""
    if not text or len(text) > LONGEST:
        return NOTHING
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return NOTHING


def _equal(one: Any, other: Any) -> bool:
    try:
        return bool(one == other)
    except RecursionError:
        return False
