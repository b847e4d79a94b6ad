"""Verifier `choice`: does a response name the right letter?

The last box after the end of thinking; else, when asked for, a stated answer (`Answer: B`, `the answer
is (B)`) or a response that is nothing but a letter. Linear in the response: it judges in the driver.
"""

from __future__ import annotations

import re
from typing import Final

from harness.errors import DataError
from harness.protocols import BuildContext
from harness.provenance import verifier_hash
from harness.records import Rollout, Status, Task, Verdict
from harness_benchmarks.options import ChoiceOptions

_STATED: Final = re.compile(
    r"(?:answer|choice|option)\W{0,4}(?:\s*is)?\s*[:=]?\s*[$*_(\[]*\s*([A-J])\b(?!\s*[A-Za-z'])",
    re.IGNORECASE,
)
_ALONE: Final = re.compile(r"[$*_(\[\s]*([A-J])[)\]$*_.:\s]*")
_LETTER: Final = re.compile(r"(?:\\(?:text\w*|mathrm|mathbf)\s*\{)?[\s({\[$]*([A-J])\b", re.IGNORECASE)
#: How far from its end a response is searched for a stated answer, in characters.
TAIL: Final = 2000


class Choice:
    """Protocol `Verifier`."""

    def __init__(self, options: ChoiceOptions, context: BuildContext) -> None:
        self.options = options
        self.hash = verifier_hash("harness_benchmarks.choice", "harness_math.extract", options=options)

    def open(self) -> None:
        """Needs nothing."""

    def close(self) -> None:
        """Holds nothing."""

    def verify(self, task: Task, rollout: Rollout) -> Verdict:
        """Judge one rollout; raises DataError for a gold answer that is no letter."""
        gold = str(task.answer).strip().upper()
        if not re.fullmatch("[A-J]", gold):
            raise DataError(f"{task.answer!r} is no letter", where=f"task {task.id!r}, field 'answer'")
        if rollout.finish == "abort":
            return self._verdict("infra_error", None, "the engine gave up")
        letter, rule = self._find(rollout)
        if letter is None:
            return self._verdict("no_answer", None, rule)
        return self._verdict("pass" if letter == gold else "fail", letter, rule)

    def _find(self, rollout: Rollout) -> tuple[str | None, str]:
        from harness_math.extract import after_thinking, last_boxes

        spoken = after_thinking(rollout.text, self.options.thinking)
        if spoken is None:
            return None, "thinking never ended"
        boxes = last_boxes(spoken)
        if boxes:
            found = _LETTER.match(boxes[-1].strip())
            return (found[1].upper(), "boxed") if found else (None, "the last box holds no letter")
        if self.options.extraction == "boxed" or rollout.truncated:
            return None, "no box"
        alone = _ALONE.fullmatch(spoken)
        if alone:
            return alone[1].upper(), "whole response"
        stated = _STATED.findall(spoken[-TAIL:])
        return (stated[-1].upper(), "stated") if stated else (None, "no letter is stated")

    def _verdict(self, status: Status, extracted: str | None, reason: str) -> Verdict:
        score = None if status == "infra_error" else float(status == "pass")
        return Verdict(
            status=status,
            score=score,
            verifier="choice",
            verifier_hash=self.hash,
            extracted=extracted,
            reason=reason,
        )
