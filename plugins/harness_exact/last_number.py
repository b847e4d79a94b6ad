"""Verifier `last-number`: integers and plain strings out of free text.

For an integer answer: the last `\\boxed{...}` must be that integer, or, without a box, the last number
of the text must be. A last number that is not an integer fails; the search does not go on to an earlier
integer that the text did not end on. For an answer in words or LaTeX: the last box must be the same
text, white space aside. Nothing equivalent but differently written passes; that takes a verifier of
mathematics.
"""

from __future__ import annotations

from typing import Any, Final, Literal

from harness.contract import BuildContext, DataError, Rollout, Status, Task, Verdict
from harness.recipe import Model
from harness.recording import verifier_hash
from harness_exact.numbers import as_integer, last_boxed, last_number
from harness_exact.verdicts import plain_verdict

NAME: Final = "last-number"


class LastNumberOptions(Model):
    """Where the answer is searched for."""

    look: Literal["any", "boxed", "text"] = "any"
    r"""`boxed`: in the last `\boxed{...}` only. `text`: the last number of the whole text, boxes ignored.
    `any`: in the box if there is one, and else in the text."""
    judge_truncated: bool = True
    """Whether completions that were cut at `max_tokens` are judged. If so, a number that ends at the cut
    does not count. If not, they have no answer."""


class LastNumber:
    """Compares the last boxed answer or the last number with the task's answer."""

    def __init__(self, options: LastNumberOptions, context: BuildContext) -> None:
        self.options = options
        self.hash = verifier_hash(
            __name__, "harness_exact.numbers", "harness_exact.verdicts", options=options
        )

    def open(self) -> None:
        """Needs nothing."""

    def verify(self, task: Task, rollout: Rollout) -> Verdict:
        """Judge one rollout; raises DataError for an answer that is neither integer nor text."""
        gold = _gold(task)
        if rollout.truncated and not self.options.judge_truncated:
            return self._verdict("no_answer", reason="cut at max_tokens")
        boxed = None if self.options.look == "text" else last_boxed(rollout.text)
        integer = as_integer(gold)
        if integer is None and self.options.look != "text":
            return self._compare(_squeezed(gold), None if boxed is None else _squeezed(boxed), "box")
        if boxed is not None:
            return self._compare(integer, as_integer(boxed) or boxed.strip(), "box")
        if self.options.look == "boxed":
            return self._compare(integer, None, "box")
        number = last_number(rollout.text, cut=rollout.truncated)
        return self._compare(integer, None if number is None else as_integer(number) or number, "number")

    def close(self) -> None:
        """Holds nothing."""

    def _compare(self, gold: str | None, answer: str | None, what: str) -> Verdict:
        if not answer:
            return self._verdict("no_answer", reason=f"no {what} in the text")
        return self._verdict("pass" if answer == gold else "fail", answer)

    def _verdict(self, status: Status, extracted: str | None = None, reason: str = "") -> Verdict:
        return plain_verdict(NAME, self.hash, status, extracted, reason)


def _gold(task: Task) -> str:
    answer: Any = task.answer
    if isinstance(answer, float) and answer.is_integer():
        answer = int(answer)
    if isinstance(answer, bool) or not isinstance(answer, str | int):
        raise DataError(
            f"answer {answer!r} is neither an integer nor text", where=f"task {task.id!r}, verifier {NAME!r}"
        )
    return str(answer).strip()


def _squeezed(text: str) -> str:
    """The text without white space, which LaTeX ignores, and without dollar signs around it."""
    return "".join(text.strip().strip("$").split())
