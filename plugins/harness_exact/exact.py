"""Verifier `exact`: the whole completion is the answer.

Strict on purpose: a lucky guess inside a longer text, or an answer followed by chatter, fails. A
completion that was cut at max_tokens never ended its answer, so it fails even if its text fits.
"""

from __future__ import annotations

from harness.contract import BuildContext, DataError, Rollout, Status, Task, Verdict
from harness.recipe import Model
from harness.recording import verifier_hash
from harness_exact.verdicts import plain_verdict


class ExactOptions(Model):
    """How completion and answer are compared."""

    strip: bool = True
    """Whether white space around both texts is ignored."""
    ignore_case: bool = False
    """Whether upper and lower case count as equal."""


class Exact:
    """Passes when the completion's text equals `str(task.answer)`."""

    def __init__(self, options: ExactOptions, context: BuildContext) -> None:
        self.options = options
        self.hash = verifier_hash(__name__, "harness_exact.verdicts", options=options)

    def open(self) -> None:
        """Needs nothing."""

    def verify(self, task: Task, rollout: Rollout) -> Verdict:
        """Judge one rollout; raises DataError for an answer that is neither text nor an integer."""
        if isinstance(task.answer, bool) or not isinstance(task.answer, str | int):
            raise DataError(
                f"answer {task.answer!r} is neither text nor an integer",
                where=f"task {task.id!r}, verifier 'exact'",
            )
        answer, gold = self._plain(rollout.text), self._plain(str(task.answer))
        if rollout.truncated:
            return self._verdict("fail" if answer else "no_answer", answer or None, "cut at max_tokens")
        if not answer and gold:
            return self._verdict("no_answer", None, "the completion is empty")
        return self._verdict("pass" if answer == gold else "fail", answer)

    def close(self) -> None:
        """Holds nothing."""

    def _plain(self, text: str) -> str:
        text = text.strip() if self.options.strip else text
        return text.casefold() if self.options.ignore_case else text

    def _verdict(self, status: Status, extracted: str | None, reason: str = "") -> Verdict:
        return plain_verdict("exact", self.hash, status, extracted, reason)
