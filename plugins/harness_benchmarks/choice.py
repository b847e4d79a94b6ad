"""Verifier `choice`: does a response name the right letter?

The last box after the end of thinking; else, when asked for, a stated answer (`Answer: B`, `the answer
is (B) because ...`) or a response that is nothing but a letter. A box that holds no letter, such as a
formula in the working, does not stand in the way of what is stated. Several letters are no answer, but a
wrong one. Linear in the response: it judges in the driver.
"""

from __future__ import annotations

import re
from typing import Final

from harness.contract import BuildContext, DataError, Rollout, Status, Task, Verdict
from harness.recording import verifier_hash
from harness_benchmarks.options import ChoiceOptions

_STATED: Final = re.compile(
    r"\b(?:answer|choice|option)\b\W{0,4}(?:\s*(?:is|would\s+be|must\s+be)\b)?\s*[:=]?", re.IGNORECASE
)
_ALONE: Final = re.compile(r"[$*_(\[\s]*([A-J])[)\]$*_.:\s]*")
#: How far from its end a response is searched for a stated answer, in characters.
TAIL: Final = 2000
#: How much behind `answer is` belongs to what is stated, in characters.
STATEMENT: Final = 120
LETTERS: Final = "ABCDEFGHIJ"
#: The letter of a response that names several.
SEVERAL: Final = "several letters"


class Choice:
    """Protocol `Verifier`."""

    def __init__(self, options: ChoiceOptions, context: BuildContext) -> None:
        self.options = options
        self.hash = verifier_hash(
            "harness_benchmarks.choice", "harness_math.extract", "harness_math.choices", options=options
        )

    def open(self) -> None:
        """Needs nothing."""

    def close(self) -> None:
        """Holds nothing."""

    def verify(self, task: Task, rollout: Rollout) -> Verdict:
        """Judge one rollout; raises DataError for a gold answer that is not a letter."""
        gold = self._gold(task)
        letter, rule = self._find(rollout)
        if letter is None:
            return self._verdict("no_answer", None, rule)
        if letter == SEVERAL:
            return self._verdict("fail", None, f"{rule}; {SEVERAL}")
        return self._verdict("pass" if letter == gold else "fail", letter, rule)

    def _gold(self, task: Task) -> str:
        from harness_math.choices import chosen

        gold = (chosen(str(task.answer)) or "").upper()
        if not re.fullmatch("[A-J]", gold):
            raise DataError(
                f"{task.answer!r} is no letter",
                where=f"task {task.id!r}, field 'answer'",
                allowed="one letter from A to J, in brackets or not",
            )
        return gold

    def _find(self, rollout: Rollout) -> tuple[str | None, str]:
        from harness_math.choices import chosen, several
        from harness_math.extract import after_thinking, last_boxes

        spoken = after_thinking(rollout.text, self.options.thinking)
        if spoken is None:
            return None, "thinking never ended"
        boxes = last_boxes(spoken)
        if boxes:
            letter = chosen(boxes[-1], reasons=True)
            if letter is not None and letter.upper() in LETTERS:
                return letter.upper(), "boxed"
            if several(boxes[-1]):
                return SEVERAL, "boxed"
        if self.options.extraction == "boxed" or rollout.truncated:
            return None, "the last box holds no letter" if boxes else "no box"
        alone = _ALONE.fullmatch(spoken)
        if alone:
            return alone[1].upper(), "whole response"
        tail = spoken[-TAIL:]
        for match in reversed(list(_STATED.finditer(tail))):
            said = tail[match.end() : match.end() + STATEMENT].lstrip(" :*_$").split("\n\n")[0]
            letter = chosen(said, reasons=True)
            if letter is not None and letter.upper() in LETTERS:
                return letter.upper(), "stated"
            if several(said.split("\n")[0].split(".")[0]):
                return SEVERAL, "stated"
        return None, "the last box holds no letter" if boxes else "no letter is stated"

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
