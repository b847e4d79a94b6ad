"""What a study found, as numbers: every arm's scores, costs and arrivals, and which differences stand.

Only finished runs count. Scores over seeds carry Student intervals; whether two arms differ is decided
by the leaderboard's own ranking, so that a page and a board never disagree.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from harness.board.build import entry
from harness.board.entry import Entry
from harness.board.rank import Pair, Ranked, labels, rank
from harness.contract import DataError, near
from harness.readout import Run, Study
from harness.statistics import Passage, Spread, first_passage, spread
from harness_report.options import PageOptions


@dataclass(frozen=True, slots=True)
class ArmFindings:
    """One arm over its finished seeds."""

    name: str
    about: str
    #: Place in the recipe, which is also its colour.
    index: int
    runs: Sequence[Run]
    entry: Entry
    final: Spread
    before: Spread | None
    #: First passages of the threshold, in rollouts.
    passage: Passage
    rollouts: float
    tokens: float
    cpu_seconds: float
    #: Share of training groups whose rewards were all alike.
    zero_variance: float
    truncated: float
    measurements: float


@dataclass(frozen=True, slots=True)
class Findings:
    """A study's result on one held-out set."""

    study: Study
    options: PageOptions
    heldout: str
    baseline: str
    arms: Sequence[ArmFindings]
    #: Runs that have not finished, which nothing here is about.
    unfinished: Sequence[Run]
    #: Finished runs whose last evaluation has no score, since it lost samples; left out, too.
    unjudged: Sequence[Run]
    ranked: Sequence[Ranked]
    pairs: Sequence[Pair]
    threshold: float
    #: Whether the recipe fixed the threshold, or it is what the baseline ended with.
    threshold_fixed: bool

    @property
    def simulated(self) -> bool:
        return any(arm.entry.recipe.simulated for arm in self.arms)

    @property
    def unreturned(self) -> bool:
        """Whether an engine generated tokens that it did not return."""
        return any(arm.entry.cost.unreturned for arm in self.arms)

    @property
    def usd(self) -> bool:
        """Whether an engine has prices."""
        return any(arm.entry.cost.usd for arm in self.arms)

    @property
    def sources(self) -> bool:
        """Whether an engine said which configuration answered."""
        return any(arm.entry.cost.sources for arm in self.arms)

    @property
    def best_first(self) -> list[ArmFindings]:
        by_name = {arm.name: arm for arm in self.arms}
        return [by_name[row.entry.recipe.arm] for row in self.ranked]

    def arm(self, name: str) -> ArmFindings:
        return next(arm for arm in self.arms if arm.name == name)


def absence(study: Study, heldout: str | None = None) -> str:
    """Why finished runs leave nothing to report on a held-out set (the first one when not given); empty
    if there is something."""
    done = [run for run in study.runs if run.state == "finished"]
    if not done:
        return ""
    if not study.heldouts:
        return "There was no held-out set to evaluate, so there is no page and no leaderboard entry."
    heldout = heldout or study.heldouts[0]
    if heldout in study.heldouts and all(_unjudged(run, heldout) for run in done):
        reason = done[0].on(heldout)[-1].reason
        return f"No run ends with a score of {heldout} ({reason}): no page and no leaderboard entry."
    return ""


def _unjudged(run: Run, heldout: str) -> bool:
    evaluations = run.on(heldout)
    return bool(evaluations) and not evaluations[-1].judged


def find(study: Study, options: PageOptions) -> Findings:
    """Work out a study's findings.

    Raises:
        DataError: no run has finished or was evaluated, or an option names what is not there.
    """
    where = str(study.folder)
    heldout = options.heldout or next(iter(study.heldouts), None)
    finished_runs = [run for run in study.runs if run.state == "finished"]
    unjudged = [run for run in finished_runs if _unjudged(run, heldout or "")]
    done = {arm: [r for r in finished_runs if r.arm == arm and r not in unjudged] for arm in study.arms}
    unfinished = [run for run in study.runs if run.state != "finished"]
    arms = [arm for arm in study.arms if done[arm]]
    if not finished_runs:
        raise DataError(
            f"no run has finished ({study.state})",
            where=where,
            hint="harness run --resume, then report again",
        )
    if heldout is None or heldout not in study.heldouts:
        what = "nothing was evaluated" if heldout is None else f"no held-out set {heldout!r}"
        raise DataError(what, where=where, allowed=near(heldout or "", study.heldouts))
    if not arms:
        reason = unjudged[0].on(heldout)[-1].no_score
        raise DataError(
            f"{heldout!r} has {reason}", where=where, hint="harness run --resume asks again for what was lost"
        )
    baseline = options.baseline or arms[0]
    if baseline not in arms:
        raise DataError(f"no finished arm {baseline!r}", where=where, allowed=near(baseline, arms))
    finished = Study(study.folder, study.recipe, [r for a in arms for r in done[a]], study.about, study.text)
    strata = options.threshold_strata
    threshold = options.threshold
    if threshold is None:
        curves = [run.curve(heldout, "rollouts", strata) for run in done[baseline]]
        if not all(curves):
            raise DataError(
                f"arm {baseline!r}: no sample of the strata {', '.join(strata)} could be judged",
                where=where,
                hint="set the page's threshold, or other threshold_strata",
            )
        threshold = fmean(curve[-1][1] for curve in curves)
    made = [_arm(finished, arm, study.arms.index(arm), heldout, threshold, strata) for arm in arms]
    ranked, pairs = _ranked([a.entry for a in made])
    return Findings(
        study, options, heldout, baseline, made, unfinished, unjudged, ranked, pairs, threshold,
        options.threshold is not None,
    )  # fmt: skip


def _arm(
    study: Study, arm: str, index: int, heldout: str, threshold: float, strata: Sequence[str]
) -> ArmFindings:
    runs = study.of(arm)
    made = entry(study, arm, heldout, study.recipe)
    befores = [s.before for s in made.seeds if s.before is not None]
    steps = [s for run in runs for s in run.steps]
    rollouts = sum(s.metrics.rollouts for s in steps)
    return ArmFindings(
        name=arm,
        about=study.about.get(arm, ""),
        index=index,
        runs=runs,
        entry=made,
        final=spread(made.seed_values()),
        before=spread(befores) if befores else None,
        passage=first_passage([run.curve(heldout, "rollouts", strata) for run in runs], threshold),
        rollouts=made.cost.rollouts,
        tokens=made.cost.tokens,
        cpu_seconds=made.cost.cpu_seconds,
        zero_variance=sum(r.zero_variance * _rollouts(r) for r in runs if r.steps) / rollouts
        if rollouts
        else float("nan"),
        truncated=sum(s.metrics.truncated * s.metrics.rollouts for s in steps) / rollouts
        if rollouts
        else float("nan"),
        measurements=fmean(sum(m.rollouts for m in run.labels) for run in runs),
    )


def _rollouts(run: Run) -> int:
    return sum(s.metrics.rollouts for s in run.steps)


def _ranked(entries: Sequence[Entry]) -> tuple[list[Ranked], list[Pair]]:
    """Ranks if scores compare; arms that were evaluated differently each stand alone."""
    if len({e.column for e in entries}) == 1:
        return rank(entries)
    ordered = sorted(entries, key=lambda e: (-e.score.value, e.label))
    named = enumerate(zip(ordered, labels(ordered), strict=True))
    return [Ranked(e, 0, (), label, place, 0) for place, (e, label) in named], []
