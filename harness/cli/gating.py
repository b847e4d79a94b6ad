"""The gate of `harness compare A B --fail-if-worse-than 2pt`: its option, its words and its exit codes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import click

from harness.contract.errors import counted as counted_words
from harness.support.figures import percent

if TYPE_CHECKING:
    from harness.benchmarking.reading import Evaluated

#: Exit codes: 0 is "not worse". They are no other command's, so that CI can tell them from errors (2).
WORSE: Final = 4
UNDECIDED: Final = 5
_ANSWERS: Final = {
    "worse": "B is worse than A by more than {} points",
    "not worse": "B is not worse than A by more than {} points",
    "not enough samples": "not enough samples to tell whether B is worse than A by more than {} points",
}
_POINTS: Final = re.compile(r"(\d+(?:\.\d+)?)\s*(?:pt|pts|points?)")
_BARE: Final = re.compile(r"\d+(?:\.\d+)?")


class Points(click.ParamType[float]):
    """Percentage points, as `2pt`; a share in [0, 1). Only 0 goes without a unit: 0.02 could be a share."""

    name = "points"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The margin as a share."""
        if isinstance(value, float):
            return value
        text = str(value).strip()
        if _BARE.fullmatch(text):
            bare = float(text)
            if bare == 0:
                return 0.0
            meant = f"{text}pt" if bare >= 1 else f"{100 * bare:g}pt for a share of {text}, or {text}pt"
            self.fail(f"{text!r} has no unit; in percentage points: {meant}")
        number = _POINTS.fullmatch(text)
        if number is None or float(number[1]) >= 100:
            self.fail(f"{value!r} is no number of percentage points; allowed: 0 to under 100, as in 2pt")
        return float(number[1]) / 100


def show_gates(left: Evaluated, right: Evaluated, names: Sequence[str], margin: float) -> int:
    """Print the gate's answer for each benchmark; returns the exit code: 0, `WORSE` or `UNDECIDED`.

    With several benchmarks each interval is as much wider as keeps the chance of any false answer at 5 %
    (Bonferroni).
    """
    from harness.benchmarking.comparing import counted
    from harness.statistics.gating import gate

    sides = [{r.benchmark: r for r in side.results} for side in (left, right)]
    level = 1 - 0.05 / len(names)
    codes = [0]
    for name in names:
        verdict = gate(counted(sides[0][name]), counted(sides[1][name]), margin, level=level)
        low, high = 100 * verdict.interval.low, 100 * verdict.interval.high
        of = counted_words(verdict.problems, "problem")
        click.echo(
            f"gate, {name}: {_ANSWERS[verdict.answer].format(f'{100 * margin:g}')}; B minus A "
            f"{100 * verdict.difference:+.1f} points, on new samples of these {of} "
            f"{low:+.1f} to {high:+.1f} ({percent(level)} interval)"
        )
        if verdict.answer == "worse":
            codes.append(WORSE)
        elif verdict.answer == "not enough samples":
            codes.append(UNDECIDED)
            click.echo(f"  {_advice(verdict.needed, verdict.samples)}")
    return WORSE if WORSE in codes else max(codes)


def _advice(needed: int | None, samples: int) -> str:
    if needed is None:
        return "the difference lies at the margin: no number of samples would tell, another margin may"
    return (
        f"{counted_words(samples, 'sample')} per problem cannot tell; about {needed:,} of both would, "
        f"4 times in 5 (harness eval --resume RUN --samples {needed})"
    )
