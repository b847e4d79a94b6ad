"""From tallies to scores: avg@k, pass@k, maj@k with both intervals, by level and subject."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from harness import statistics
from harness.benchmarking.tally import Tally
from harness.records import Task
from harness.statistics import Score

#: pass@k is given for these k, as far as there are samples.
PASS_AT: Final = (1, 2, 4, 8, 16, 32, 64, 128)


@dataclass(frozen=True, slots=True)
class Scored:
    """A benchmark's scores. Shares are of all judged samples."""

    #: Samples a problem; the smallest where they differ.
    k: int
    score: Score
    pass_at: dict[int, float]
    #: None where answers are programs, which no two samples write alike.
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
            "mean": self.score.value, "tokens": self.tokens, "truncated": self.truncated,
            "no_answer": self.no_answer, "timeout": self.timeout, "tail_not_extracted": self.tail,
        }  # fmt: skip
        if self.majority is not None:
            out[f"maj@{self.k}"] = self.majority
        return out | {f"pass@{k}": value for k, value in self.pass_at.items()}


def scored(tasks: Sequence[Task], tallies: Mapping[str, Tally]) -> Scored:
    """The scores of a benchmark all of whose problems have samples.

    Raises:
        ValueError: a problem has no judged sample.
    """
    counts = [tallies[task.id] for task in tasks]
    if not counts or any(not c.samples for c in counts):
        raise ValueError("a problem has no judged sample")
    programs = any(task.answer_spec.type == "program" for task in tasks)
    samples = sum(c.samples for c in counts)
    fewest = min(c.samples for c in counts)
    ks = [k for k in PASS_AT if k <= fewest]
    passes, sizes = [c.passes for c in counts], [c.samples for c in counts]
    pass_at = statistics.pass_at_k(passes, sizes, ks).mean(axis=1)
    return Scored(
        k=fewest,
        score=statistics.score_counts(passes, sizes),
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
        tag: statistics.score_counts([c.passes for c in found], [c.samples for c in found])
        for tag, found in sorted(members.items())
    }


def strata(tasks: Sequence[Task], tallies: Mapping[str, Tally]) -> dict[str, dict[str, Any]]:
    """Counts by tag, as the ledger's `evaluation` line holds them."""
    out: dict[str, dict[str, Any]] = {}
    for task in tasks:
        for tag in task.tags:
            row = out.setdefault(tag, {"samples": 0, "passes": 0, "problems": 0})
            tally = tallies[task.id]
            row["samples"] += tally.samples
            row["passes"] += tally.passes
            row["problems"] += 1
    return dict(sorted(out.items()))
