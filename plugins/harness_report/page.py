"""Reporter `page`: one HTML file that says what a study found and shows it."""

from __future__ import annotations

from pathlib import Path

from harness.board import pages
from harness.protocols import BuildContext, ReportContext, Reported
from harness.readout import read_study
from harness_report import pictures
from harness_report.findings import Findings, absence, find
from harness_report.options import PageOptions
from harness_report.story import headline, lines, sentences


class PageReporter:
    """Writes `report/index.html` in the study's folder."""

    def __init__(self, options: PageOptions | None, context: BuildContext | None = None) -> None:
        self.options = options or PageOptions()

    def report(self, context: ReportContext) -> Reported:
        """Write the page and say what happened; raises DataError when no run has finished."""
        study = read_study(context.folder)
        if why := absence(study, self.options.heldout):
            return Reported([], [why])
        found = find(study, self.options)
        page = pages.write(context.folder / "report" / "index.html", render(found))
        return Reported([page], lines(found, page))


def render(found: Findings) -> str:
    """The page of a study's findings."""
    study = found.study
    env = pages.environment(Path(__file__).resolve().parent / "templates")
    env.filters["colour"] = pictures.colour
    strips = {"scores": pictures.score_strips(found), "training": pictures.training_strips(found)}
    return env.get_template("report.html").render(
        found=found,
        study=study,
        headline=headline(found),
        sentences=sentences(found),
        curves=pictures.learning_curves(found),
        threshold_curve=pictures.threshold_curve(found),
        histogram=pictures.difficulty_histogram(found),
        teachable=pictures.teachable(found),
        remeasured=_remeasured(found),
        strips=strips,
        environment=_environment(found),
    )


def _remeasured(found: Findings) -> list[str]:
    return [arm.name for arm in found.arms if any(len(run.labels) > 1 for run in arm.runs)]


def _environment(found: Findings) -> str:
    return pages.flat(found.arms[0].entry.hardware)
