"""What came of samples, kept in space that does not grow with their texts: the one place where they are
counted, in measurements, in evaluations inside a run and of benchmarks, and from there on boards.

Only what was judged is a sample (`harness.contract.records.JUDGED`). What the engine gave up, or no verifier
could judge, is counted apart. Which samples are there is a bit each; everything else is sums, but for the
votes of maj@k, which are one short entry for each different answer, and the few reasons why there is none.
Votes are texts until `unite` joins those that mean the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

import msgspec

from harness.contract.records import CUT, JUDGED, digest
from harness.contract.seeds import seed_of
from harness.statistics.votes import united

#: Scores are summed as whole multiples of 1 / UNIT, so that a sum does not depend on the samples' order.
UNIT: Final = 2.0**100
#: Longest answer that is kept as a vote; of longer ones only the hash is, so that they count as texts.
VOTE: Final = 120
_HASHED: Final = "#"
#: Reasons that a problem's tally keeps apart.
MOST: Final = 16


class Counts(msgspec.Struct, frozen=True):
    """A tally's sums, as the ledger's `evaluation` line holds them for a problem or a stratum."""

    #: Those that were judged.
    samples: int = 0
    passes: int = 0
    problems: int = 1
    #: Summed scores, which exceed the passes if a verifier gives fractions.
    score: float = 0.0
    tokens: int = 0
    truncated: int = 0
    no_answer: int = 0
    timeout: int = 0
    #: The gold answer stands at the end of the response, but the sample does not pass.
    tail: int = 0
    #: Samples that could not be generated or judged.
    infra: int = 0
    #: Whether the most frequent answer is right, in [0, 1]; ties share.
    majority: float = 0.0

    @property
    def rate(self) -> float:
        """Share of judged samples that pass; nan without samples."""
        return self.passes / self.samples if self.samples else float("nan")


def total(counts: Iterable[Counts]) -> Counts:
    """The sums over several problems, strata or seeds; `majority` has no sum and is 0."""
    known = list(counts)
    summed = {
        name: sum(getattr(count, name) for count in known)
        for name in Counts.__struct_fields__
        if name != "majority"
    }
    return Counts(**summed)


@dataclass(slots=True)
class Tally:
    """The samples of one problem under one judgement, or of one subject in a measurement."""

    #: Bit i: sample i has a judgement.
    judged: int = 0
    #: Bit i: sample i has an answer that could not be judged (`infra_error`).
    failed: int = 0
    #: Bit i: sample i could not be generated (`abort`).
    aborted: int = 0
    passes: int = 0
    #: Summed scores and squared scores, in units of 1 / UNIT.
    score_units: int = 0
    score_sq_units: int = 0
    tokens: int = 0
    truncated: int = 0
    no_answer: int = 0
    timeout: int = 0
    tail: int = 0
    #: Why samples have no answer, as the verifier says it -> how many; of `MOST` reasons at most.
    reasons: dict[str, int] = field(default_factory=dict)
    #: Extracted answer, or the hash of a long one -> [votes, passes].
    votes: dict[str, list[int]] = field(default_factory=dict)

    @property
    def samples(self) -> int:
        return self.judged.bit_count()

    @property
    def infra(self) -> int:
        return (self.failed | self.aborted).bit_count()

    @property
    def score(self) -> float:
        """Summed scores of the judged samples."""
        return self.score_units / UNIT

    @property
    def score_sq(self) -> float:
        """Summed squared scores of the judged samples."""
        return self.score_sq_units / UNIT

    @property
    def end(self) -> int:
        """The number after the last sample that is there, in whatever state."""
        return (self.judged | self.failed | self.aborted).bit_length()

    def missing(self, samples: int) -> list[int]:
        """Which of so many samples have to be generated: not there, or given up by the engine."""
        there = self.judged | self.failed
        return [i for i in range(samples) if not there >> i & 1]

    def add(
        self, sample: int, *, status: str, score: float | None, extracted: str | None, finish: str,
        tokens: int, tail: bool = False, reason: str = "",
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
        if status not in JUDGED:
            self.failed |= bit
            return
        self.judged |= bit
        right = status == "pass"
        self.passes += right
        if score:
            self.score_units += int(score * UNIT)
            self.score_sq_units += int(score * score * UNIT)
        self.tokens += tokens
        self.truncated += finish in CUT
        self.no_answer += status == "no_answer"
        if status == "no_answer" and (reason in self.reasons or len(self.reasons) < MOST):
            self.reasons[reason] = self.reasons.get(reason, 0) + 1
        self.timeout += status == "timeout"
        self.tail += tail and not right
        if extracted is not None:
            vote = self.votes.setdefault(_vote(extracted.strip()), [0, 0])
            vote[0] += 1
            vote[1] += right

    def fingerprint(self) -> str:
        """Hash (16 hex digits) of what was extracted, whatever the samples' order and who was right: two
        parties with the same answers have the same one. To be asked before `unite`."""
        silent = self.samples - sum(count for count, _ in self.votes.values())
        return digest(sorted([text, count] for text, (count, _) in self.votes.items()), silent)

    def unite(self, same: Callable[[str, str], bool]) -> None:
        """Join votes for one answer written differently, by their verifier's comparison."""
        written = {text: count for text, (count, _) in self.votes.items() if not text.startswith(_HASHED)}
        for text, head in united(written, same).items():
            if text != head:
                count, passes = self.votes.pop(text)
                self.votes[head][0] += count
                self.votes[head][1] += passes

    @property
    def majority(self) -> float:
        """Whether the most frequent answer is right, in [0, 1]; ties share, silence does not vote.

        Votes for one answer that were judged differently (equal answers, other rules) count by their share.
        """
        if not self.votes:
            return 0.0
        most = max(count for count, _ in self.votes.values())
        top = [passes / count for count, passes in self.votes.values() if count == most]
        return sum(top) / len(top)

    def counts(self) -> Counts:
        """As the ledger's `evaluation` line holds it."""
        return Counts(
            samples=self.samples, passes=self.passes, score=self.score, tokens=self.tokens,
            truncated=self.truncated, no_answer=self.no_answer, timeout=self.timeout, tail=self.tail,
            infra=self.infra, majority=self.majority,
        )  # fmt: skip


def _vote(text: str) -> str:
    return text if len(text) <= VOTE and not text.startswith(_HASHED) else f"{_HASHED}{seed_of(text)}"


#: set -> task -> tally
Tallies = dict[str, dict[str, Tally]]
