"""A study whose four arms are a 2 x 2: neither factor, the first, the second, both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from harness.contract.errors import DataError, near
from harness.readout.study import Run, Study
from harness.statistics import Effects, Spread, area, spread, two_by_two


@dataclass(frozen=True, slots=True)
class Outcome:
    """One score of the four arms, and what the factors do to it."""

    name: str
    #: Scores of the arms, in the order of `Factorial.arms`.
    cells: tuple[Spread, ...]
    effects: Effects


@dataclass(frozen=True, slots=True)
class Factorial:
    """A 2 x 2 over the seeds that all four arms finished."""

    #: Arms: neither factor, the first, the second, both. The second and third name the factors.
    arms: tuple[str, str, str, str]
    heldout: str
    seeds: tuple[int, ...]
    outcomes: tuple[Outcome, ...]
    #: Mean share of training samples that a limit cut, by arm: where it is 0, a factor that is about them
    #: does nothing.
    truncated: tuple[float, ...]

    @property
    def factors(self) -> tuple[str, str]:
        return self.arms[1], self.arms[2]


def factorial(
    study: Study, arms: Sequence[str], heldout: str | None = None, strata: Sequence[str] = ()
) -> Factorial:
    """Effects on the final score and on the area under the curve of rollouts.

    Args:
        study: with the four arms.
        arms: neither factor, the first, the second, both.
        heldout: held-out set; the study's first one by default.
        strata: of it, all by default.

    Raises:
        DataError: there are not four arms of the study, or no seed that all of them finished.
    """
    where = str(study.folder)
    if len(arms) != 4:
        raise DataError(
            f"a 2 x 2 needs four arms, not {len(arms)}", where=where,
            allowed="neither factor, the first, the second, both",
        )  # fmt: skip
    for arm in arms:
        if arm not in study.arms:
            raise DataError(f"no arm {arm!r}", where=where, allowed=near(arm, study.arms))
    name = heldout or next(iter(study.heldouts), "")
    runs = [_finished(study, arm, name, strata) for arm in arms]
    seeds = tuple(sorted(set(runs[0]).intersection(*runs[1:])))
    if not seeds:
        raise DataError(
            f"no seed of which all of {', '.join(arms)} finished with a score of {name!r}", where=where,
            hint="harness run --resume, then compare again",
        )  # fmt: skip
    curves = [[of_arm[seed].curve(name, "rollouts", strata) for seed in seeds] for of_arm in runs]
    end = min(curve[-1][0] for of_arm in curves for curve in of_arm)
    finals = [[curve[-1][1] for curve in of_arm] for of_arm in curves]
    outcomes = [_outcome("final score", finals)]
    if end > 0:
        areas = [[area(curve, end) for curve in of_arm] for of_arm in curves]
        outcomes.append(_outcome(f"mean score over the first {end:,.0f} rollouts", areas))
    neither, first, second, both = arms
    truncated = tuple(fmean(of_arm[seed].truncated for seed in seeds) for of_arm in runs)
    return Factorial((neither, first, second, both), name, seeds, tuple(outcomes), truncated)


def _outcome(name: str, scores: Sequence[Sequence[float]]) -> Outcome:
    return Outcome(name, tuple(map(spread, scores)), two_by_two(*scores))


def _finished(study: Study, arm: str, heldout: str, strata: Sequence[str]) -> dict[int, Run]:
    done = [run for run in study.of(arm) if run.state == "finished"]
    return {run.seed: run for run in done if run.curve(heldout, "rollouts", strata)}
