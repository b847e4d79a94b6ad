"""What arms of a study save against a baseline arm: cost until a threshold, and area under the curve.

The definition is in docs/explanation/saving.md. Runs that never cross the threshold are bounded, never left
out, and what keeps a number from being a claim stands beside it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Any, Final, Literal

from harness.contract.errors import DataError, counted, near
from harness.readout.folders import recipe_of
from harness.readout.study import Axis, Run, Study
from harness.statistics import ENOUGH, Crossing, Ratio, area, crossing, median_ratio
from harness.support.figures import percent

#: A grid is fine if its evaluations lie at most this share of the median crossing apart.
FINE: Final = 0.1

Reading = Literal["less", "more", "not separated", "no claim"]


@dataclass(frozen=True, slots=True)
class Terms:
    """What arms are held against each other by, fixed before a run in its recipe."""

    threshold: float
    heldout: str
    baseline: str
    #: Strata of the held-out set that count; empty for all.
    strata: tuple[str, ...] = ()
    axis: Axis = "rollouts"


@dataclass(frozen=True, slots=True)
class Grid:
    """How far a run's evaluations lie apart: medians over all neighbouring two of an arm."""

    #: Training steps; None if no two evaluations lie in one stage.
    steps: float | None
    #: On the axis of the comparison.
    cost: float


@dataclass(frozen=True, slots=True)
class ArmSaving:
    """One arm against the baseline, over the seeds that both finished."""

    arm: str
    seeds: tuple[int, ...]
    crossings: tuple[Crossing, ...]
    #: Mean score from cost 0 to the common end, by seed.
    areas: tuple[float, ...]
    grid: Grid
    #: Ratios to the baseline: of the median cost of the crossing (below 1: the arm needs less) and of the
    #: median area (above 1: the arm is ahead on the way). None for the baseline itself, and if a ratio
    #: has no meaning.
    cost: Ratio | None
    area: Ratio | None
    #: What keeps the ratios from being a claim, in sentences.
    caveats: tuple[str, ...] = ()

    @property
    def crossed(self) -> int:
        return sum(c.crossed for c in self.crossings)

    @property
    def median(self) -> tuple[float, float]:
        """Bounds of the median cost of the crossing: the same number twice if it is known."""
        return median([c.low for c in self.crossings]), median([c.high for c in self.crossings])

    @property
    def reading(self) -> Reading:
        """Whether the interval of the cost's ratio lies below 1, above it, or neither; `no claim` if a caveat
        stands against it."""
        if self.cost is None or self.cost.interval is None or self.caveats:
            return "no claim"
        low, high = self.cost.interval
        return "less" if high < 1 else "more" if low > 1 else "not separated"


@dataclass(frozen=True, slots=True)
class Saving:
    """A study's arms, the baseline first."""

    study: Study
    terms: Terms
    #: Cost up to which areas are taken: what every run reached.
    end: float
    arms: tuple[ArmSaving, ...]
    #: Runs that are left out, with the reason.
    left_out: tuple[str, ...] = ()


def terms_of(study: Study, given: Mapping[str, Any] | None = None) -> Terms:
    """The terms of a study: what is given, else what its recipe's reporters say, else the first held-out set
    and the first arm.

    Raises:
        DataError: neither says a threshold, or a name is not in the study.
    """
    report = recipe_of(study.folder).get("report", {})
    reporters = [r for r in report.get("reporters", ()) if isinstance(r, dict)]
    told = next((r for r in reporters if r.get("threshold") is not None), {})
    chosen = dict(told) | {name: value for name, value in (given or {}).items() if value}
    where = str(study.folder)
    if chosen.get("threshold") is None:
        raise DataError(
            "its recipe fixes no threshold", where=where,
            hint='say --threshold, or fix it before a run: reporters = [{ name = "page", threshold = 0.8 }]',
        )  # fmt: skip
    heldout = chosen.get("heldout") or next(iter(study.heldouts), None)
    baseline = chosen.get("baseline") or study.arms[0]
    if heldout not in study.heldouts:
        what = "nothing was evaluated" if heldout is None else f"no held-out set {heldout!r}"
        raise DataError(what, where=where, allowed=near(heldout or "", study.heldouts))
    if baseline not in study.arms:
        raise DataError(f"no arm {baseline!r}", where=where, allowed=near(baseline, study.arms))
    strata = tuple(str(s) for s in chosen.get("threshold_strata", ()))
    return Terms(float(chosen["threshold"]), heldout, baseline, strata, chosen.get("axis", "rollouts"))


def savings(study: Study, terms: Terms) -> Saving:
    """Hold every arm against the baseline.

    Raises:
        DataError: the baseline has no finished run with a curve, a curve is empty, or the baseline is at the
            threshold before it has trained.
    """
    where = str(study.folder)
    curves: dict[str, dict[int, list[tuple[float, float]]]] = {arm: {} for arm in study.arms}
    left_out: dict[tuple[str, str], list[int]] = {}
    for run in study.runs:
        curve = run.curve(terms.heldout, terms.axis, terms.strata)
        if run.state != "finished" or not curve or curve[-1][0] <= 0:
            reason = "not finished" if run.state != "finished" else f"no curve of {terms.heldout}"
            left_out.setdefault((run.arm, reason), []).append(run.seed)
        else:
            curves[run.arm][run.seed] = curve
    base = curves[terms.baseline]
    if not base:
        raise DataError(
            f"arm {terms.baseline!r} has no finished run to compare with", where=where,
            hint="harness run --resume, then compare again",
        )  # fmt: skip
    if any(crossing(curve, terms.threshold).high <= 0 for curve in base.values()):
        raise DataError(
            f"arm {terms.baseline!r} is at {terms.threshold:g} before any training: there is nothing to save",
            where=where, hint="a higher threshold, or harder strata",
        )  # fmt: skip
    for arm, of_arm in curves.items():
        alone = sorted(of_arm.keys() - base.keys())
        left_out |= {(arm, f"no partner in {terms.baseline}"): alone} if alone else {}
    end = min(curve[-1][0] for of_arm in curves.values() for curve in of_arm.values())
    names = [terms.baseline, *(arm for arm in study.arms if arm != terms.baseline and curves[arm])]
    runs = {arm: [run for run in study.of(arm) if run.seed in curves[arm]] for arm in names}
    grids = {arm: _grid(runs[arm], terms) for arm in names}
    arms = [_arm(arm, curves[arm], base, terms, end, grids[arm], grids[terms.baseline]) for arm in names]
    sentences = [_left_out(arm, reason, seeds) for (arm, reason), seeds in left_out.items()]
    return Saving(study, terms, end, tuple(arms), tuple(sentences))


def _left_out(arm: str, reason: str, seeds: Sequence[int]) -> str:
    return f"{arm}, {'seed' if len(seeds) == 1 else 'seeds'} {', '.join(map(str, seeds))}: {reason}"


def _arm(
    arm: str,
    curves: Mapping[int, list[tuple[float, float]]],
    base: Mapping[int, list[tuple[float, float]]],
    terms: Terms,
    end: float,
    grid: Grid,
    base_grid: Grid,
) -> ArmSaving:
    """One arm; the baseline itself has no ratios."""
    seeds = tuple(sorted(curves.keys() & base.keys()))
    crossings = tuple(crossing(curves[seed], terms.threshold) for seed in seeds)
    areas = tuple(area(curves[seed], end) for seed in seeds)
    theirs = tuple(crossing(base[seed], terms.threshold) for seed in seeds)
    cost = ratio = None
    if arm != terms.baseline and seeds:
        cost = median_ratio([(c.low, c.high) for c in crossings], [(c.low, c.high) for c in theirs])
        heights = [area(base[seed], end) for seed in seeds]
        if min(heights) > 0:
            ratio = median_ratio([(a, a) for a in areas], [(a, a) for a in heights])
    grids = [("its", grid, crossings)]
    if arm != terms.baseline:
        grids.append(("the baseline's", base_grid, theirs))
    caveats = _caveats(seeds, grids)
    return ArmSaving(arm, seeds, crossings, areas, grid, cost, ratio, tuple(caveats))


def _caveats(seeds: Sequence[int], grids: Sequence[tuple[str, Grid, Sequence[Crossing]]]) -> list[str]:
    """What keeps a comparison from being a claim.

    Args:
        grids: whose, how far its evaluations lie apart, and its crossings: the arm's, then the baseline's.
    """
    said = []
    if len(seeds) < ENOUGH:
        said.append(f"{counted(len(seeds), 'paired seed')}; a claim needs at least {ENOUGH}")
    mine, base = grids[0][1].steps, grids[-1][1].steps
    if mine != base:
        said.append(
            f"evaluated every {_steps(mine)}, the baseline every {_steps(base)}: the finer grid crosses "
            "earlier"
        )
    for whose, grid, crossings in grids:
        known = [c.high for c in crossings if c.crossed]
        if known and grid.cost > FINE * median(known):
            share = percent(grid.cost / median(known), 0)
            said.append(
                f"{whose} evaluations lie {share} of the median crossing apart, which is no fine grid"
            )
    return said


def _steps(steps: float | None) -> str:
    return "stage" if steps is None else "step" if steps == 1 else f"{steps:g} steps"


def _grid(runs: Sequence[Run], terms: Terms) -> Grid:
    steps, costs = [], []
    for run in runs:
        inside = pairwise(run.on(terms.heldout))
        steps += [b.step - a.step for a, b in inside if a.stage == b.stage and b.step > a.step]
        costs += [b - a for (a, _), (b, _) in pairwise(run.curve(terms.heldout, terms.axis, terms.strata))]
    return Grid(median(steps) if steps else None, median(costs) if costs else 0.0)
