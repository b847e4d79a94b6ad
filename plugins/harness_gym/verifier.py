"""Verifier `reasoning-gym`: rebuilds a task's entry and asks its data set's scorer.

A task carries what the entry is rebuilt from, or the entry itself, so that any worker can judge it. If the
installed reasoning-gym rebuilds another answer, the task comes from another version and is refused.
"""

from __future__ import annotations

import importlib.metadata
import re
from typing import Any, Final

from harness_exact.verdicts import plain_verdict
from harness_runner import values

from harness.contract import BuildContext, DataError, Rollout, Task, Verdict, convert
from harness.recording import verifier_hash
from harness_gym.generator import Generator, generator, packed
from harness_gym.options import GymVerifierOptions
from harness_gym.ordered import Entry

NAME: Final = "reasoning-gym"
_TAG: Final = re.compile(r"<answer>((?:(?!<answer>).)*?)</answer>", re.DOTALL)


class GymVerifier:
    """Scores in [0, 1] by the data set's own rules; 1 passes."""

    def __init__(self, options: GymVerifierOptions, context: BuildContext) -> None:
        self._options = options
        self.hash = verifier_hash(
            "harness_gym", "harness_exact.verdicts", options=options, libraries=("reasoning-gym", "sympy")
        )

    def open(self) -> None:
        """Import the data sets."""
        import reasoning_gym  # noqa: F401

    def verify(self, task: Task, rollout: Rollout) -> Verdict:
        """Judge one rollout; raises DataError for a task that is not the source's or of another version."""
        made, entry = _rebuilt(task)
        answer = self._extract(rollout)
        if not answer:
            return plain_verdict(NAME, self.hash, "no_answer", None, "no answer in the text")
        try:
            score = made.score(answer, entry)
        except Exception as error:  # noqa: BLE001 - the scorer fails on what the model wrote: not a right answer
            return plain_verdict(
                NAME, self.hash, "fail", answer, f"unreadable to its scorer: {type(error).__name__}: {error}"
            )
        passed, partly = score >= 1.0, score > self._options.partial_above
        return Verdict(
            status="pass" if passed else "partial" if partly else "fail",
            score=min(1.0, max(0.0, score)),
            verifier=NAME,
            verifier_hash=self.hash,
            extracted=answer,
        )

    def close(self) -> None:
        """Holds nothing."""

    def _extract(self, rollout: Rollout) -> str | None:
        tags = () if self._options.extract == "whole" else _TAG.findall(rollout.text)
        if tags:
            return str(tags[-1]).strip()
        # A text that was cut never said that it was the answer.
        return None if self._options.extract == "tag" or rollout.truncated else rollout.text.strip()


def _rebuilt(task: Task) -> tuple[Generator, Entry]:
    where = f"task {task.id!r}, verifier {NAME!r}"
    missing = [name for name in ("dataset", "config", "number") if name not in task.meta]
    if missing:
        raise DataError(
            f"its meta lacks {missing[0]!r}; it is not a task of the source {NAME!r}", where=where
        )
    made = generator(task.meta["dataset"], packed(convert(task.meta["config"], dict[str, Any])))
    carried = task.meta.get("entry")
    if carried is not None:
        return made, dict(values.unpack(carried))
    entry = made.entry(int(task.meta["number"]))
    if entry["answer"] != task.answer or entry["question"] not in task.prompt[-1].content:
        raise DataError(
            "another task is made of its number here", where=where,
            hint="install the version of reasoning-gym that the tasks were made with; where that is this one "
            f"({importlib.metadata.version('reasoning-gym')}), the data set cannot be repeated: leave it out",
        )  # fmt: skip
    return made, entry
