"""Reading an evaluation: what was asked, what there is, and the scores or why there is none.

Nothing here needs a model or the benchmarks' data: the ledger names every problem that has a sample, and
its `opened` line how many problems there are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.benchmarking.folder import EvaluationFolder, open_folder
from harness.benchmarking.lines import Contents
from harness.benchmarking.profile import Profile
from harness.benchmarking.tally import Tally
from harness.errors import LedgerError, counted
from harness.recipe.errors import validated


@dataclass(frozen=True, slots=True)
class Result:
    """One benchmark of an evaluation under one judgement."""

    benchmark: str
    #: Samples a problem that were asked for.
    samples: int
    problems: int
    tallies: Mapping[str, Tally]
    #: The `evaluation` line, None where the scores are not complete.
    line: Mapping[str, Any] | None

    @property
    def judged(self) -> int:
        return sum(t.samples for t in self.tallies.values())

    @property
    def refusal(self) -> str:
        """Why there is no score; empty when there is one."""
        missing = self.problems * self.samples - sum(
            min(self.samples, (t.judged | t.failed).bit_count()) for t in self.tallies.values()
        )
        failed = sum(t.failed.bit_count() for t in self.tallies.values())
        reasons = []
        if missing:
            reasons.append(f"{missing} of {self.problems * self.samples} samples are missing")
        if failed:
            reasons.append(f"{counted(failed, 'sample')} could not be judged")
        if not reasons and self.line is None:
            reasons.append("it was interrupted before the scores were written")
        return "; ".join(reasons)


@dataclass(frozen=True, slots=True)
class Evaluated:
    """An evaluation as its ledger tells it."""

    folder: EvaluationFolder
    profile: Profile
    opened: Mapping[str, Any]
    #: Number of the judgement, 0 for the one made while generating.
    scoring: int
    verifiers: Mapping[str, str]
    results: list[Result]


def read_evaluation(folder: Path, scoring: int | None = None) -> Evaluated:
    """Read an evaluation under its latest judgement, or an earlier one.

    Raises:
        LedgerError: no evaluation, nothing in it yet, or no such judgement.
    """
    found = open_folder(folder)
    contents = Contents(found.ledger)
    if not contents.opened:
        raise LedgerError(
            "nothing has been recorded yet", where=str(folder), hint=f"harness eval --resume {folder}"
        )
    number = contents.latest if scoring is None else scoring
    if number not in contents.tallies and number not in contents.scorings:
        known = ", ".join(map(str, sorted({0, *contents.scorings})))
        raise LedgerError(f"there is no scoring {number}", where=str(folder), allowed=known)
    profile = validated(Profile, found.asked.profile, where=str(folder))
    results = [
        Result(
            name,
            found.asked.samples or profile.samples_of(name),
            contents.opened["profile"][name]["problems"],
            contents.tallies.get(number, {}).get(name, {}),
            contents.evaluations.get((name, number)),
        )
        for name in found.asked.benchmarks
    ]
    return Evaluated(found, profile, contents.opened, number, contents.verifiers(number), results)
