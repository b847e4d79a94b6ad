"""How much could be judged: what a dead server or a broken verifier takes away is no outcome.

A sample that could not be judged is left out, and a step of such samples alone moves no weight: a sandbox
host that comes back costs no run. But to go on without an end would make a success of a failure. So if
gates leave nothing of such a step, or some of them follow each other, or a stage has no others, or an
evaluation is without scores, that is an error with the first reason.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from harness.contract.errors import TrainingError
from harness.contract.records import Rollout, Verdict
from harness.contract.samples import Group

#: Steps in a row of which nothing could be judged, the last of which is an error.
LOST_STEPS: Final = 3


@dataclass(slots=True)
class Judged:
    """The samples of one step, discarded groups included, or of one evaluation."""

    samples: int = 0
    judged: int = 0
    #: Why the first of the others could not be.
    reason: str = ""

    def fault(self, rollout: Rollout, verdict: Verdict) -> None:
        """A sample that could not be judged."""
        self.reason = self.reason or rollout.reason or verdict.reason or verdict.status

    def add(self, group: Group) -> None:
        """Count a group that was judged."""
        fresh = group.fresh
        self.samples += len(fresh)
        self.judged += sum([sample.verdict.judged for sample in fresh])

    @property
    def missing(self) -> float:
        """Share of samples that could not be judged."""
        return 1 - self.judged / self.samples if self.samples else 0.0

    @property
    def nothing(self) -> bool:
        """Whether there are samples and none of them could be judged."""
        return bool(self.samples) and not self.judged

    def check(self, where: str) -> None:
        """Raise TrainingError if there are samples and none of them could be judged."""
        if self.nothing:
            reason = self.reason or "no reason was given"
            raise TrainingError(
                f"none of {self.samples} samples could be judged: {reason}",
                where=where,
                hint="mend what the reason names; harness run --resume goes on from the last checkpoint",
            )
