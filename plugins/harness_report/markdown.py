"""Reporter `markdown`: the study's numbers as a page of tables, for docs and pull requests."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.board.pages import count, duration
from harness.protocols import BuildContext, ReportContext, Reported
from harness.readout import read_study
from harness.statistics import Spread
from harness_report.findings import Findings, absence, find
from harness_report.options import PageOptions
from harness_report.story import headline, percent, sentences


class MarkdownReporter:
    """Writes `report/results.md` in the study's folder."""

    def __init__(self, options: PageOptions | None, context: BuildContext | None = None) -> None:
        self.options = options or PageOptions()

    def report(self, context: ReportContext) -> Reported:
        """Write the tables; raises DataError when no run has finished."""
        study = read_study(context.folder)
        if why := absence(study, self.options.heldout):
            return Reported([], [why])
        found = find(study, self.options)
        path = context.folder / "report" / "results.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(render(found), encoding="utf-8")
        return Reported([path])


def render(found: Findings) -> str:
    """The whole page."""
    parts = [headline(found), "", *(f"- {sentence}" for sentence in sentences(found)), ""]
    parts += [f"## Scores on {found.heldout}", "", *_scores(found), ""]
    parts += ["## First passage", "", *_passages(found), ""]
    parts += ["## Costs", "", *_costs(found), ""]
    parts += ["## Differences", "", *_pairs(found), ""]
    return "\n".join(parts)


def _table(head: Sequence[str], rows: Iterator[Sequence[str]]) -> Iterator[str]:
    yield "| " + " | ".join(head) + " |"
    yield "|" + "---|" * len(head)
    for row in rows:
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |"


def _scores(found: Findings) -> Iterator[str]:
    seeds = sorted({run.seed for arm in found.arms for run in arm.runs})
    strata = list(found.arms[0].entry.strata)

    def rows() -> Iterator[Sequence[str]]:
        for arm in found.best_first:
            by_seed = {seed.seed: seed.value for seed in arm.entry.seeds}
            rates = {name: part.value for name, part in arm.entry.strata.items()}
            yield [
                arm.name,
                _mean(arm.final),
                *(f"{100 * by_seed[s]:.1f}" if s in by_seed else "–" for s in seeds),
                *(f"{100 * rates[s]:.0f}" if s in rates else "–" for s in strata),
            ]

    head = ["arm", "mean (95 % over seeds)", *(f"seed {s}" for s in seeds), *(f"stratum {s}" for s in strata)]
    yield from _table(head, rows())


def _passages(found: Findings) -> Iterator[str]:
    strata = found.options.threshold_strata
    what = f"strata {' and '.join(strata)}" if strata else found.heldout
    yield f"Rollouts spent at the first evaluation with at least {percent(found.threshold)} on {what}."
    yield ""

    def rows() -> Iterator[Sequence[str]]:
        for arm in found.arms:
            median = arm.passage.median
            yield [
                arm.name,
                f"{arm.passage.reached} of {len(arm.passage.by_seed)}",
                "never" if median is None else count(median),
                ", ".join("never" if v is None else count(v) for v in arm.passage.by_seed),
            ]

    yield from _table(["arm", "seeds that arrived", "median", "by seed"], rows())


def _costs(found: Findings) -> Iterator[str]:
    def rows() -> Iterator[Sequence[str]]:
        for arm in found.arms:
            yield [
                arm.name,
                count(arm.rollouts),
                count(arm.measurements),
                count(arm.tokens),
                duration(arm.cpu_seconds),
                f"{100 * arm.zero_variance:.0f} %",
            ]

    head = ["arm", "rollouts", "of them measuring", "tokens", "CPU time", "groups without signal"]
    yield from _table(head, rows())


def _pairs(found: Findings) -> Iterator[str]:
    names = [arm.name for arm in found.best_first]

    def rows() -> Iterator[Sequence[str]]:
        for pair in found.pairs:
            yield [
                f"{names[pair.better]} − {names[pair.worse]}",
                f"{100 * pair.difference:.1f}",
                f"{pair.p:.2g}",
                "ahead" if pair.separated else "tie",
                f"{100 * pair.detectable:.1f}",
            ]

    yield "p is the larger of a paired test over problems and Welch's test over seeds, Holm-corrected."
    yield ""
    head = ["arms", "difference (points)", "p", "reading", "smallest difference seen 4 times in 5"]
    yield from _table(head, rows())


def _mean(final: Spread) -> str:
    if final.interval is None:
        return percent(final.mean)
    low, high = max(final.interval.low, 0.0), min(final.interval.high, 1.0)
    return f"{percent(final.mean)} ({100 * low:.1f} to {100 * high:.1f})"
