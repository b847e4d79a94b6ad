"""The page of curricula has a row for each that is registered, and its recipes are whole."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from harness.plugging.plugins import load
from harness.recipe import load_recipe
from harness.recipe.check import faults
from tests.support.places import ROOT

PAGE = ROOT / "docs" / "reference" / "curricula.md"
STAGES = sorted((ROOT / "recipes" / "stages").glob("*.toml"))


def first_party() -> set[str]:
    return {r.name for r in load().registry.all("curricula") if r.full_name == r.name}


def test_every_curriculum_has_a_row_and_every_row_a_curriculum() -> None:
    told = set(tomllib.loads((ROOT / "docs" / "make" / "curricula.toml").read_text(encoding="utf-8")))
    assert told == first_party()
    table = PAGE.read_text(encoding="utf-8").partition("<!-- /curricula -->")[0]
    assert set(re.findall(r"^\| `([\w-]+)`", table, re.MULTILINE)) == told


def test_a_row_names_the_paper_that_its_module_names() -> None:
    told = tomllib.loads((ROOT / "docs" / "make" / "curricula.toml").read_text(encoding="utf-8"))
    sources = {
        path: path.read_text(encoding="utf-8")
        for folder in ("curricula", "adaptive", "allocation", "replay", "hints")
        for path in (ROOT / "plugins" / f"harness_{folder}").glob("*.py")
    }
    for name, row in told.items():
        papers = [text for text in sources.values() if f"`{name}`" in text and row["arxiv"] in text]
        assert not row["arxiv"] or papers, f"{name}: no module names arXiv {row['arxiv']}"


@pytest.mark.parametrize("path", STAGES, ids=lambda path: path.stem)
def test_recipes_of_stages_are_whole(path: Path) -> None:
    assert faults(load_recipe(path), load().registry) == []
