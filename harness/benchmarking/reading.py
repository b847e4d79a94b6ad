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
from harness.contract.errors import LedgerError
from harness.evaluating.recording import refusal
from harness.recipe.errors import validated
from harness.statistics.tally import Tally


@dataclass(frozen=True, slots=True)
class Result:
    """One benchmark of an evaluation under one judgement."""

    benchmark: str
    #: Samples per problem that were asked for.
    samples: int
    problems: int
    tallies: Mapping[str, Tally]
    #: The `evaluation` line, None if the scores are not complete.
    line: Mapping[str, Any] | None
    #: The `placement` line of an adaptive evaluation.
    placement: Mapping[str, Any] | None = None
    #: Whether the evaluation is adaptive, so that it never has scores.
    adaptive: bool = False

    @property
    def judged(self) -> int:
        return sum(t.samples for t in self.tallies.values())

    @property
    def refusal(self) -> str:
        """Why there is no score; empty if there is one."""
        if self.placement is not None:
            told = self.placement["scores"]
            return (
                f"an adaptive evaluation, which asked {told['asked']} of {told['problems']} problems as it "
                "chose: it has an ability and no score"
            )
        if self.adaptive:
            return "an adaptive evaluation that was interrupted"
        reason = refusal(self.tallies, self.samples, self.problems)
        return reason or ("it was interrupted before the scores were written" if self.line is None else "")


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
    #: Number of the last judgement.
    latest: int = 0


class NothingRecorded(LedgerError):
    """An evaluation was ended before it wrote its first line."""


def read_evaluation(folder: Path, scoring: int | None = None) -> Evaluated:
    """Read an evaluation under its latest judgement, or an earlier one.

    Raises:
        LedgerError: no evaluation, nothing in it yet, or no such judgement.
    """
    place = open_folder(folder)
    contents = Contents(place.ledger)
    if not contents.opened:
        raise NothingRecorded(
            "nothing has been recorded yet", where=str(folder), hint=f"harness eval --resume {folder}"
        )
    number = contents.latest if scoring is None else scoring
    if number not in contents.tallies and number not in contents.scorings:
        known = ", ".join(map(str, sorted({0, *contents.scorings})))
        raise LedgerError(f"there is no scoring {number}", where=str(folder), allowed=known)
    profile = validated(Profile, place.asked.profile, where=str(folder))
    results = [
        Result(
            name,
            place.asked.samples or profile.samples_of(name, place.asked.family(name)),
            contents.opened["profile"][name]["problems"],
            contents.tallies.get(number, {}).get(name, {}),
            contents.evaluations.get((name, number)),
            contents.placements.get(name),
            adaptive=bool(place.asked.adaptive),
        )
        for name in place.asked.benchmarks
    ]
    return Evaluated(
        place, profile, contents.opened, number, contents.verifiers(number), results, contents.latest
    )
