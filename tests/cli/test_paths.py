"""Paths of the wrong sort: a file where a folder belongs, a folder where a file belongs, nothing at all.

Each is a sentence with the path in it and exit code 2, and nothing is made.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from harness.cli import main
from tests.support.evaluations import math500_rows, write_rows
from tests.support.places import ROOT

RECIPE = ROOT / "recipes" / "quickstart.toml"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a file `file.toml`, a folder `folder.toml`, a recipe and a benchmark's rows."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HARNESS_DATA", str(write_rows(tmp_path / "data", math500_rows())))
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    (tmp_path / "file.toml").write_text("")
    (tmp_path / "folder.toml").mkdir()
    shutil.copyfile(RECIPE, tmp_path / "recipe.toml")
    return tmp_path


ECHO = ["eval", "m", "--engine", "echo", "-b", "math500"]


@pytest.mark.parametrize(
    ("command", "path", "fault"),
    [
        (["run", "recipe.toml", "--runs", "file.toml"], "file.toml", "is a file, not a folder"),
        (["run", "recipe.toml", "--runs", "file.toml/x"], "file.toml/x", "cannot hold runs"),
        ([*ECHO, "--runs", "file.toml"], "file.toml", "is a file, not a folder"),
        (["run", "folder.toml"], "folder.toml", "cannot be read"),
        (["run", "--resume", "file.toml"], "file.toml", "is not the folder of a run"),
        (["eval", "--resume", "file.toml"], "file.toml", "is not the folder of an evaluation"),
        ([*ECHO, "--profile", "folder.toml"], "folder.toml", "cannot be read"),
        (["score", "file.toml"], "file.toml", "is not the folder of an evaluation"),
        (["score", "--import", "folder.toml", "-b", "math500"], "folder.toml", "cannot be read"),
        (["report", "file.toml"], "file.toml", "is the folder of neither an evaluation nor a training study"),
        (["report", "nope/runs"], "nope/runs", "is not there"),
        (["compare", "file.toml", "file.toml"], "file.toml", "is not the folder of an evaluation"),
        (["show", "file.toml"], "file.toml", "no such study or run"),
        (["eval", "absent/model/x", "-b", "math500"], "'absent/model/x'", "there is no such folder"),
        (["eval", "./absent", "-b", "math500"], "'./absent'", "there is no such folder"),
        (["eval", "file.toml", "-b", "math500"], "'file.toml'", "is a file, not a folder"),
    ],
)
def test_a_path_of_the_wrong_sort_is_named(
    here: Path, capsys: pytest.CaptureFixture[str], command: list[str], path: str, fault: str
) -> None:
    assert main(command) == 2
    said = capsys.readouterr().err
    assert path in said
    assert fault in said
    assert not (here / "runs").exists()
