"""CONTRIBUTING-A-SCORE.md followed word for word, in a copy of the boards, by an engine that says 3."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pytest

from tests.support.evaluations import echo, math500_rows, write_rows
from tests.support.places import ROOT
from tests.support.runs import harness

pytest.importorskip("math_verify", reason="needs the extra 'math'")

PAGE = (ROOT / "CONTRIBUTING-A-SCORE.md").read_text(encoding="utf-8")


def commands() -> list[str]:
    blocks = re.findall(r"^```sh\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines()]


def test_the_page_leads_from_a_run_to_an_entry_on_the_board(tmp_path: Path) -> None:
    write_rows(tmp_path / "data", math500_rows())
    shutil.copytree(
        ROOT / "leaderboards", tmp_path / "leaderboards", ignore=shutil.ignore_patterns("templates", "site")
    )
    lines = commands()
    assert [line.split()[1:3] for line in lines] == [
        ["eval", "owner/model"], ["report", "runs/model-r1-standard-1"], ["board", "add"],
        ["board", "check"], ["board", "verify"], ["board", "build"],
    ]  # fmt: skip
    said = []
    for line in lines:
        words = shlex.split(line)[1:]
        if words[0] == "eval":
            words += [*echo("It is plain.</think>So the answer is \\boxed{3}."), "--samples", "1"]
        done = harness(*words, cwd=tmp_path, HARNESS_DATA=str(tmp_path / "data"))
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
        said.append(done.stdout)
    assert said[2].strip() in lines[4], "the page names the entry's file as it is called"
    assert "confirmed: outcomes and answers of all 500 problems" in said[4]
    assert "owner/model" in (tmp_path / "leaderboards/site/reasoning.html").read_text(encoding="utf-8")
