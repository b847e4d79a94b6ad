"""The last lines that the command prints: what happened, and where to look."""

from __future__ import annotations

from pathlib import Path

from harness.readout import read_study
from harness_report.findings import find
from harness_report.options import page_options
from harness_report.story import lines


def summarise(study_folder: Path) -> list[str]:
    """Plain sentences about a study, one a line, ending with where its pages are.

    Raises:
        HarnessError: the folder holds no study, or no run has finished.
    """
    study = read_study(study_folder)
    found = find(study, page_options(study))
    page = study_folder / "report" / "index.html"
    return lines(found, page if page.is_file() else None)
