"""Reporter `page`: one HTML file that says what a study found and shows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from urllib.parse import quote

from harness.board import pages
from harness.contract import BuildContext, DataError, ReportContext, Reported
from harness.readout import Factorial, Run, Saving, Terms, factorial, read_study, savings, words
from harness_report import pictures, samples
from harness_report.findings import Findings, absence, find
from harness_report.forest import forest
from harness_report.options import StudyPageOptions
from harness_report.passes import pass_picture
from harness_report.story import headline, lines, sentences


class PageReporter:
    """Writes `report/index.html` in the study's folder, and beside it a page of samples per run."""

    def __init__(self, options: StudyPageOptions | None, context: BuildContext | None = None) -> None:
        self.options = options or StudyPageOptions()

    def report(self, context: ReportContext) -> Reported:
        """Write the pages and say what happened; raises DataError if no run has finished."""
        study = read_study(context.folder)
        folder = context.folder / "report"
        if why := absence(study, self.options.heldout):
            done = [run for run in study.runs if run.state == "finished"]
            return Reported(list(self._pages_of(done, folder, context).values()), [why])
        findings = find(study, self.options)
        runs = [run for arm in findings.best_first for run in arm.runs]
        of_runs = self._pages_of(runs, folder, context)
        page = pages.write(folder / "index.html", render(findings, {n: _address(n) for n in of_runs}))
        return Reported([page], lines(findings, page))

    def _pages_of(self, runs: Sequence[Run], folder: Path, context: ReportContext) -> dict[str, Path]:
        return samples.write_pages(folder, runs, self.options.samples, context.steps)


def _address(name: str) -> str:
    """A run's page as seen from the study's."""
    return quote(f"{name}.html")


def render(findings: Findings, runs: Mapping[str, str] = MappingProxyType({})) -> str:
    """The page of a study's findings; `runs` has the addresses of the pages of its runs."""
    study = findings.study
    env = pages.environment(Path(__file__).resolve().parent / "templates")
    env.filters["colour"] = pictures.colour
    strips = {"scores": pictures.score_strips(findings), "training": pictures.training_strips(findings)}
    saving, nothing_saved = _saving(findings)
    colours = {arm.name: pictures.colour(arm.index) for arm in findings.arms}
    experiment = _experiment(findings)
    return env.get_template("report.html").render(
        findings=findings,
        saving=saving,
        nothing_saved=nothing_saved,
        forest=forest(saving, colours) if saving else None,
        words=words,
        experiment=experiment,
        squares=[] if experiment is None else pictures.squares(experiment),
        study=study,
        headline=headline(findings),
        sentences=sentences(findings),
        curves=pictures.learning_curves(findings),
        threshold_curve=pictures.threshold_curve(findings),
        histogram=pictures.difficulty_histogram(findings),
        teachable=pictures.teachable(findings),
        remeasured=_remeasured(findings),
        strips=strips,
        runs=runs,
        environment=_environment(findings),
        passes=pass_picture(findings),
    )


def _experiment(findings: Findings) -> Factorial | None:
    """The 2 x 2 that the options name; raises DataError if its arms are not all there."""
    options = findings.options
    if options.two_by_two is None:
        return None
    return factorial(findings.study, options.two_by_two, findings.heldout)


def _saving(findings: Findings) -> tuple[Saving | None, str]:
    """What the arms save, if the recipe fixed a threshold before the run; None without one, and the reason if
    there is nothing to compare."""
    if len(findings.arms) < 2 or not findings.threshold_fixed:
        return None, ""
    options = findings.options
    terms = Terms(
        findings.threshold, findings.heldout, findings.baseline, options.threshold_strata, options.axis
    )
    try:
        return savings(findings.study, terms), ""
    except DataError as error:
        return None, error.what


def _remeasured(findings: Findings) -> list[str]:
    return [arm.name for arm in findings.arms if any(len(run.labels) > 1 for run in arm.runs)]


def _environment(findings: Findings) -> str:
    return pages.flat(findings.arms[0].entry.hardware)
