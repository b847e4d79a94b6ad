"""How much could be judged: what a dead server or a broken verifier takes away is no outcome.

A sample that could not be judged is left out. Where that is all of them, going on would make a success of a
failure: a stage with gates would end as one with nothing left to learn, one without them would do nothing,
and an evaluation would be one without scores.
"""

from __future__ import annotations

from dataclasses import dataclass

from harness.errors import TrainingError
from harness.records import Group, Rollout, Verdict


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
        self.samples += group.size
        self.judged += sum(reward is not None for reward in group.rewards)

    @property
    def missing(self) -> float:
        """Share of samples that could not be judged."""
        return 1 - self.judged / self.samples if self.samples else 0.0

    def check(self, where: str) -> None:
        """Raise TrainingError where there are samples and none of them could be judged."""
        if self.samples and not self.judged:
            reason = self.reason or "no reason was given"
            raise TrainingError(
                f"none of {self.samples} samples could be judged: {reason}",
                where=where,
                hint="mend what the reason names; harness run --resume goes on from the last checkpoint",
            )
