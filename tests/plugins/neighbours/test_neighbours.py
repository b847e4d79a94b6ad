"""The distributions under plugins/neighbours, built and installed as a third party's are."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.support.places import ROOT

SCRIPT = ROOT / "scripts" / "neighbours"
FOLDERS = sorted(path.parent for path in (ROOT / "plugins" / "neighbours").glob("*/pyproject.toml"))
named = pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)


@pytest.mark.heavy
@named
def test_it_installs_is_listed_passes_its_tests_and_runs_its_recipes(folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, SCRIPT, folder.name], capture_output=True, text=True, timeout=850, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@named
def test_it_is_laid_out_as_plugins_new_lays_one_out(folder: Path) -> None:
    package = f"harness_{folder.name}"
    for name in ("README.md", "recipe.toml", f"src/{package}/__init__.py", "tests/test_conformance.py"):
        assert (folder / name).is_file(), name
    project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["project"]["name"] == f"staged-harness-{folder.name}"
    assert project["project"]["entry-points"]["harness"] == {folder.name: package}
    assert any(line.startswith("staged-harness") for line in project["project"]["dependencies"])
    assert set(project["tool"]["neighbours"]["recipes"]) <= {path.name for path in folder.glob("*.toml")}


@named
def test_its_modules_are_small(folder: Path) -> None:
    sizes = {
        path.name: len(path.read_text(encoding="utf-8").splitlines()) for path in folder.rglob("src/**/*.py")
    }
    assert sizes
    assert max(sizes.values()) <= 500, sizes


@named
def test_its_readme_says_what_the_paper_claims_what_is_here_and_how_to_change_it(folder: Path) -> None:
    text = (folder / "README.md").read_text(encoding="utf-8")
    for heading in (
        "## The paper's claim",
        "## What is implemented",
        "## What is not, and why",
        "## The paper's figure and ours",
        "## Copy it and change it",
    ):
        assert heading in text, heading


@named
def test_the_commands_of_its_readme_give_a_copy_a_name_of_its_own(folder: Path, tmp_path: Path) -> None:
    hidden = shutil.ignore_patterns("__pycache__", "runs", ".*")
    shutil.copytree(folder, tmp_path / folder.name, ignore=hidden)
    section = (folder / "README.md").read_text(encoding="utf-8").partition("## Copy it and change it")[2]
    commands = re.findall(r"^ +\$ (.+)$", section, re.MULTILINE)
    assert len(commands) == 2
    subprocess.run(["sh", "-e"], input="\n".join(commands), text=True, cwd=tmp_path, check=True)
    copy = tmp_path / "mine"
    named = re.compile(rf"harness[-_]{folder.name}")
    left = [path.name for path in copy.rglob("*") if path.is_file() and named.search(path.read_text("utf-8"))]
    assert not left
    project = tomllib.loads((copy / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["project"]["name"] == "staged-harness-mine"
    assert project["project"]["entry-points"]["harness"] == {"mine": "harness_mine"}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "-n", "0", "-p", "no:cacheprovider"],
        cwd=copy, env={**os.environ, "PYTHONPATH": "src"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    done = subprocess.run([sys.executable, SCRIPT, "nobody"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert all(folder.name in done.stdout for folder in FOLDERS)
