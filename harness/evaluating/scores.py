"""From tallies to scores: avg@k, pass@k, maj@k with both intervals, by stratum, level and subject."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from harness import statistics
from harness.contract.records import Task
from harness.statistics import Score
from harness.statistics.tally import Tally, total

#: The largest k of pass@k.
MOST: Final = 1024


def pass_ks(samples: int) -> list[int]:
    """The k for which pass@k is given: 1, 2, 4, ... and `samples` itself, up to MOST."""
    powers = [1 << i for i in range(MOST.bit_length()) if 1 << i <= samples]
    return powers if not 0 < samples <= MOST or samples in powers else [*powers, samples]


@dataclass(frozen=True, slots=True)
class Scored:
    """A set's scores. Shares are of all judged samples."""

    #: Samples per problem; the smallest number if they differ.
    k: int
    #: Mean over problems of their pass rates, with its intervals.
    score: Score
    #: Mean over problems of their mean scores, which exceeds the pass rate if verifiers give fractions.
    partial: float
    pass_at: dict[int, float]
    #: None if answers are programs, which no two samples write alike.
    majority: float | None
    tokens: float
    truncated: float
    no_answer: float
    timeout: float
    tail: float
    #: Tag (`level=3`) -> score over its problems.
    groups: dict[str, Score]

    def numbers(self) -> dict[str, float]:
        """As the ledger's `evaluation` line holds them under `scores`."""
        out = {
            "mean": self.score.value, "score": self.partial, "tokens": self.tokens,
            "truncated": self.truncated, "no_answer": self.no_answer, "timeout": self.timeout,
            "tail_not_extracted": self.tail,
        }  # fmt: skip
        if self.majority is not None:
            out[f"maj@{self.k}"] = self.majority
        return out | {f"pass@{k}": value for k, value in self.pass_at.items()}


def scored(tasks: Sequence[Task], tallies: Mapping[str, Tally]) -> Scored:
    """The scores of a set all of whose problems have samples.

    Raises:
        ValueError: a problem has no judged sample.
    """
    counts = [tallies[task.id] for task in tasks]
    if not counts or any(not c.samples for c in counts):
        raise ValueError("a problem has no judged sample")
    programs = any(task.answer_spec.type == "program" for task in tasks)
    samples = sum(c.samples for c in counts)
    fewest = min(c.samples for c in counts)
    ks = pass_ks(fewest)
    passes, sizes = [c.passes for c in counts], [c.samples for c in counts]
    pass_at = statistics.pass_at_k(passes, sizes, ks).mean(axis=1)
    return Scored(
        k=fewest,
        score=statistics.score_counts(passes, sizes),
        partial=sum(c.score / c.samples for c in counts) / len(counts),
        pass_at={k: float(v) for k, v in zip(ks, pass_at, strict=True)},
        majority=None if programs else sum(c.majority for c in counts) / len(counts),
        tokens=sum(c.tokens for c in counts) / samples,
        truncated=sum(c.truncated for c in counts) / samples,
        no_answer=sum(c.no_answer for c in counts) / samples,
        timeout=sum(c.timeout for c in counts) / samples,
        tail=sum(c.tail for c in counts) / samples,
        groups=_groups(tasks, tallies),
    )


def _groups(tasks: Sequence[Task], tallies: Mapping[str, Tally]) -> dict[str, Score]:
    members: dict[str, list[Tally]] = {}
    for task in tasks:
        for tag in task.tags:
            members.setdefault(tag, []).append(tallies[task.id])
    return {
        tag: statistics.score_counts([c.passes for c in counts], [c.samples for c in counts])
        for tag, counts in sorted(members.items())
    }


def strata(members: Mapping[str, Sequence[Task]], tallies: Mapping[str, Tally]) -> dict[str, dict[str, Any]]:
    """Counts by stratum or tag, as the ledger's `evaluation` line holds them."""
    out = {}
    for name, tasks in members.items():
        counts = total(tallies[task.id].counts() for task in tasks)
        out[name] = {"samples": counts.samples, "passes": counts.passes, "problems": counts.problems}
    return out
