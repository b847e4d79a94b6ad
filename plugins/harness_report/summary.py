"""The last lines that the command prints: what happened, and where to look."""

from __future__ import annotations

from pathlib import Path

from harness.readout import read_study
from harness_report.findings import find
from harness_report.options import page_options
from harness_report.story import headline, sentences


def summarise(study_folder: Path) -> list[str]:
    """Plain sentences about a study, one a line, ending with where its pages are.

    Raises:
        HarnessError: the folder holds no study, or no run has finished.
    """
    study = read_study(study_folder)
    found = find(study, page_options(study))
    lines = [headline(found), *sentences(found)]
    page = study_folder / "report" / "index.html"
    if page.is_file():
        lines.append(f"Curves, difficulty and costs: {page}")
    return lines
