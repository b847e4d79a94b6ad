"""What came of a problem's samples, kept in space that does not grow with their texts.

Which samples are there is a bit each; everything else is sums, but for the votes of maj@k, which are
one short entry for each different answer.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from harness.seeds import seed_of


@dataclass(slots=True)
class Tally:
    """One problem's samples under one scoring."""

    #: Bit i: sample i has a judgement.
    judged: int = 0
    #: Bit i: sample i has an answer that could not be judged (`infra_error`).
    failed: int = 0
    #: Bit i: sample i could not be generated (`abort`).
    aborted: int = 0
    passes: int = 0
    score: float = 0.0
    score_sq: float = 0.0
    tokens: int = 0
    truncated: int = 0
    no_answer: int = 0
    timeout: int = 0
    #: The gold answer stands at the end of the response, but the sample does not pass.
    tail: int = 0
    #: Hash of an extracted answer -> [votes, passes].
    votes: dict[int, list[int]] = field(default_factory=dict)

    @property
    def samples(self) -> int:
        return self.judged.bit_count()

    @property
    def infra(self) -> int:
        return (self.failed | self.aborted).bit_count()

    def missing(self, samples: int) -> list[int]:
        """Which of so many samples have to be generated: not there, or given up by the engine."""
        there = self.judged | self.failed
        return [i for i in range(samples) if not there >> i & 1]

    def add(
        self, sample: int, *, status: str, score: float | None, extracted: str | None, finish: str,
        tokens: int, tail: bool,
    ) -> None:  # fmt: skip
        """Count one sample. A judgement replaces an earlier failure; a second judgement is ignored."""
        bit = 1 << sample
        if self.judged & bit:
            return
        self.failed &= ~bit
        self.aborted &= ~bit
        if finish == "abort":
            self.aborted |= bit
            return
        if status == "infra_error":
            self.failed |= bit
            return
        self.judged |= bit
        right = status == "pass"
        self.passes += right
        self.score += score or 0.0
        self.score_sq += (score or 0.0) ** 2
        self.tokens += tokens
        self.truncated += finish == "length"
        self.no_answer += status == "no_answer"
        self.timeout += status == "timeout"
        self.tail += tail and not right
        if extracted is not None:
            vote = self.votes.setdefault(seed_of(extracted.strip()), [0, 0])
            vote[0] += 1
            vote[1] += right

    @property
    def majority(self) -> float:
        """Whether the most frequent answer is right, in [0, 1]; ties share, silence does not vote.

        Votes for one answer that were judged differently (equal texts, other rules) count by their share.
        """
        if not self.votes:
            return 0.0
        most = max(count for count, _ in self.votes.values())
        top = [passes / count for count, passes in self.votes.values() if count == most]
        return sum(top) / len(top)

    def counts(self) -> dict[str, Any]:
        """As the ledger's `evaluation` line holds it (`harness.readout.Count` reads it)."""
        return {
            "samples": self.samples, "passes": self.passes, "score": self.score, "tokens": self.tokens,
            "truncated": self.truncated, "no_answer": self.no_answer, "timeout": self.timeout,
            "tail": self.tail, "infra": self.infra, "majority": self.majority,
        }  # fmt: skip
