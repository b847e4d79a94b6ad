"""Evaluations nearly all of whose samples have no answer, for one reason.

Such a score says more about the settings than about the model: a profile that waits for `</think>` finds
nothing in the answers of a model that never writes it. Whatever shows such a score names the setting.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from harness.benchmarking.reading import Evaluated, Result

#: Share of a benchmark's judged samples without an answer for one reason from which it is said.
SHARE: Final = 0.9
#: Share of truncated samples from which the token limit is the likeliest cause.
CUT: Final = 0.5
#: Start of a verdict's reason -> the verifier's option that reads such answers, its value, and when.
REMEDIES: Final[Mapping[str, tuple[str, str, str]]] = {
    "thinking never ended": ("thinking", "none", "if the model writes no </think>"),
    "no box": ("extraction", "any", "if the model writes its answers without \\boxed{}"),
    "no letter": ("extraction", "any", "if the model writes its answers without \\boxed{}"),
}


@dataclass(frozen=True, slots=True)
class Silence:
    """One benchmark whose samples have no answer."""

    benchmark: str
    #: Samples that were judged, and those without an answer for this reason.
    samples: int
    silent: int
    reason: str
    hint: str

    def __str__(self) -> str:
        return (
            f"warning: {self.benchmark}: {self.silent:,} of {self.samples:,} samples have no answer, for one "
            f"reason: {self.reason}\n  next: {self.hint}"
        )


def silences(evaluated: Evaluated) -> Iterator[Silence]:
    """The benchmarks of an evaluation in which at least `SHARE` of the judged samples have no answer for one
    reason, with the settings that would read them. What a verifier adds to a reason after a comma is left
    out."""
    for result in evaluated.results:
        reasons: Counter[str] = Counter()
        for tally in result.tallies.values():
            for reason, count in tally.reasons.items():
                reasons[reason.partition(",")[0]] += count
        (reason, silent) = next(iter(reasons.most_common(1)), ("", 0))
        if silent and silent >= SHARE * result.judged:
            yield Silence(result.benchmark, result.judged, silent, reason, _hint(evaluated, result, reason))


def _hint(evaluated: Evaluated, result: Result, reason: str) -> str:
    truncated = sum(tally.truncated for tally in result.tallies.values())
    cut = truncated >= CUT * result.judged
    hints = []
    remedy = next((advice for start, advice in REMEDIES.items() if reason.startswith(start)), None)
    # Without a box a truncated response has no answer, whatever the extraction.
    if remedy is not None and not (cut and remedy[0] == "extraction"):
        hints += _setting(evaluated, result, *remedy)
    if cut and evaluated.folder.asked.engine:
        hints.append(
            f"{truncated:,} samples were cut at the token limit; a higher one is a new evaluation: "
            "--override sampling.max_tokens=NUMBER"
        )
    elif cut:
        hints.append(
            f"{truncated:,} responses are truncated, or look so: a 'finish' in the rows would say it"
        )
    return "; ".join(hints) or f"look at the answers in {evaluated.folder.ledger}"


def _setting(evaluated: Evaluated, result: Result, option: str, value: str, when: str) -> list[str]:
    """How to judge with another value of an option; nothing if the verifier is not the profile's, so that
    it may have no such option."""
    judges = evaluated.verifiers if result.line is None else result.line["facts"]["verifiers"]
    domains = [name for name, domain in evaluated.profile.domains.items() if domain.verifier.name in judges]
    if not domains:
        return []
    overrides = " ".join(f"--override domains.{name}.verifier.{option}={value}" for name in domains)
    again = f"harness score {evaluated.folder.folder} --set {option}={value} judges these answers again"
    return [f"{when}: {again}, for new ones or another import: {overrides}"]
