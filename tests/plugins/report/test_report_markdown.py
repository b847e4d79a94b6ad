"""Reporter `markdown`: the page's numbers as tables."""

from __future__ import annotations

from pathlib import Path

from harness_report.markdown import MarkdownReporter
from harness_report.options import PageOptions

from harness.contract.protocols import ReportContext
from tests.support.studies import make_study


def tables(text: str) -> dict[str, list[list[str]]]:
    """Rows of each table by the heading above it."""
    out: dict[str, list[list[str]]] = {}
    heading = ""
    for line in text.splitlines():
        if line.startswith("## "):
            heading = line[3:]
        elif line.startswith("| "):
            out.setdefault(heading, []).append([cell.strip() for cell in line.strip("|").split("|")])
    return out


def test_every_arm_and_seed_stands_in_the_tables(tmp_path: Path) -> None:
    study = make_study(tmp_path, seed_list=(3, 5), arms={"slow": (0.0, 0.0), "fast": (0.36, 0.4)})
    options = PageOptions(threshold=0.6)
    (path,) = MarkdownReporter(options).report(ReportContext(study, ())).files
    assert path == study / "report" / "results.md"
    text = path.read_text()
    assert text.partition("\n")[0]
    shown = tables(text)
    scores = shown["Scores on strata-7-12"]
    assert scores[0][:4] == ["arm", "mean (95 % over seeds)", "seed 3", "seed 5"]
    assert {row[0] for row in scores[1:]} == {"fast", "slow"}
    assert {row[0]: row[1:3] for row in shown["First passage"][1:]}["slow"] == ["0 of 2", "never"]
    assert {row[0]: row[1] for row in shown["First passage"][1:]}["fast"] == "2 of 2"
    assert sorted(row[0] for row in shown["Costs"][1:]) == ["fast", "slow"]
    assert shown["Differences"][1][0] in ("fast − slow", "slow − fast")
