"""Reporter `markdown`: the study's numbers as a page of tables, for docs and pull requests."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.contract import BuildContext, ReportContext, Reported
from harness.readout import read_study
from harness.statistics import Spread
from harness.support import count, dollars, duration, percent, sources
from harness_report.findings import Findings, absence, find
from harness_report.options import PageOptions
from harness_report.story import headline, sentences


class MarkdownReporter:
    """Writes `report/results.md` in the study's folder."""

    def __init__(self, options: PageOptions | None, context: BuildContext | None = None) -> None:
        self.options = options or PageOptions()

    def report(self, context: ReportContext) -> Reported:
        """Write the tables; raises DataError if no run has finished."""
        study = read_study(context.folder)
        if why := absence(study, self.options.heldout):
            return Reported([], [why])
        findings = find(study, self.options)
        path = context.folder / "report" / "results.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(render(findings), encoding="utf-8")
        return Reported([path])


def render(findings: Findings) -> str:
    """The whole page."""
    parts = [headline(findings), "", *(f"- {sentence}" for sentence in sentences(findings)), ""]
    parts += [f"## Scores on {findings.heldout}", "", *_scores(findings), ""]
    parts += ["## First passage", "", *_passages(findings), ""]
    parts += ["## Costs", "", *_costs(findings), ""]
    parts += ["## Differences", "", *_pairs(findings), ""]
    return "\n".join(parts)


def _table(head: Sequence[str], rows: Iterator[Sequence[str]]) -> Iterator[str]:
    yield "| " + " | ".join(head) + " |"
    yield "|" + "---|" * len(head)
    for row in rows:
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |"


def _scores(findings: Findings) -> Iterator[str]:
    seeds = sorted({run.seed for arm in findings.arms for run in arm.runs})
    strata = list(findings.arms[0].entry.strata)

    def rows() -> Iterator[Sequence[str]]:
        for arm in findings.best_first:
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


def _passages(findings: Findings) -> Iterator[str]:
    strata = findings.options.threshold_strata
    what = f"strata {' and '.join(strata)}" if strata else findings.heldout
    yield f"Rollouts spent at the first evaluation with at least {percent(findings.threshold)} on {what}."
    yield ""

    def rows() -> Iterator[Sequence[str]]:
        for arm in findings.arms:
            median = arm.passage.median
            yield [
                arm.name,
                f"{arm.passage.reached} of {len(arm.passage.by_seed)}",
                "never" if median is None else count(median),
                ", ".join("never" if v is None else count(v) for v in arm.passage.by_seed),
            ]

    yield from _table(["arm", "seeds that arrived", "median", "by seed"], rows())


def _costs(findings: Findings) -> Iterator[str]:
    def rows() -> Iterator[Sequence[str]]:
        for arm in findings.arms:
            cost = arm.entry.cost
            yield [
                arm.name,
                count(arm.rollouts),
                count(arm.measurements),
                count(arm.tokens),
                duration(arm.cpu_seconds),
                percent(arm.zero_variance, 0),
                *([count(cost.unreturned)] if findings.unreturned else []),
                *([dollars(cost.usd)] if findings.usd else []),
                *([sources(cost.sources) or "–"] if findings.sources else []),
            ]

    head = ["arm", "rollouts", "of them measuring", "tokens", "CPU time", "groups without signal"]
    told = [("not returned", findings.unreturned), ("price", findings.usd), ("answered by", findings.sources)]
    head += [name for name, there in told if there]
    yield from _table(head, rows())


def _pairs(findings: Findings) -> Iterator[str]:
    names = [arm.name for arm in findings.best_first]

    def rows() -> Iterator[Sequence[str]]:
        for pair in findings.pairs:
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
