"""TOML from people: recipes, and benchmarks of one's own."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from harness_benchmarks.own import OwnBenchmark, OwnOptions
from hypothesis import given
from hypothesis import strategies as st

from harness.plugging.plugins import Plugins, load
from harness.recipe import load_recipe
from harness.recipe.check import faults
from tests.support import fuzz
from tests.support.builders import context
from tests.support.places import ROOT

FILES = [*sorted((ROOT / "recipes").glob("*.toml")), *sorted((ROOT / "recipes/paper").glob("*.toml"))]
RECIPES = [tomllib.loads(path.read_text()) for path in FILES]
OVERRIDES = (
    "seeds=[0]",
    "trainer.lr=1",
    "stages.0.rollout.n=16",
    "stages.9.x=1",
    "=",
    "a",
    "name.x=1",
    ".=1",
    "a..b=]",
)

BENCHMARK = {
    "about": "sums", "path": "rows.jsonl", "fields": {"problem": "q", "answer": "a", "id": "n",
    "tags": ["level"]},
    "domain": "math", "verifier": {"name": "math", "thinking": "none"}, "answer_spec": {"tolerance": 0.1},
    "errata": {"odd": {"x1": "why"}},
}  # fmt: skip
ROWS = [
    {"q": "1+1?", "a": "2", "n": "x1", "level": 1}, {"q": "1+2?", "a": 3, "n": "x2", "level": 2, "id": "y"},
    {"problem": "1+3?", "answer": ["4"], "id": 3}, {"problem": "1+4?", "answer": "5"},
]  # fmt: skip


@pytest.fixture(scope="module")
def plugins() -> Plugins:
    return load()


def check(path: Path, plugins: Plugins, overrides: list[str]) -> Any:
    """As `harness recipe check` does."""
    file = load_recipe(path, overrides)
    return faults(file, plugins.registry), file.sha


@fuzz.examples(120)
@given(
    text=st.one_of(
        fuzz.mutated(RECIPES).map(fuzz.as_toml).map(str.encode),
        fuzz.torn([path.read_bytes() for path in FILES]),
    ),
    overrides=st.lists(st.one_of(st.sampled_from(OVERRIDES), st.text(max_size=9)), max_size=2),
)
def test_a_recipe_fits_or_is_told_why_not(
    text: bytes, overrides: list[str], tmp_path: Path, plugins: Plugins
) -> None:
    path = tmp_path / "recipe.toml"
    path.write_bytes(text)
    fuzz.outcome("recipe", lambda: check(path, plugins, overrides), shown=(text, overrides))


def as_rows(rows: Any) -> bytes:
    return b"".join(fuzz.as_json(row) + b"\n" for row in (rows if isinstance(rows, list) else [rows]))


@fuzz.examples(120)
@given(
    toml=st.one_of(
        st.just(fuzz.as_toml(BENCHMARK).encode()),
        fuzz.mutated([BENCHMARK], edits=2).map(fuzz.as_toml).map(str.encode),
        fuzz.torn([fuzz.as_toml(BENCHMARK).encode()]),
    ),
    rows=st.one_of(
        st.just(as_rows(ROWS[:2])), fuzz.mutated([ROWS[:2], ROWS[2:]], edits=2).map(as_rows),
        fuzz.torn([as_rows(ROWS[:2])]),
    ),
    described=st.booleans(),
)  # fmt: skip
def test_a_benchmark_of_ones_own_is_read_or_refused(
    toml: bytes, rows: bytes, described: bool, tmp_path: Path
) -> None:
    (tmp_path / "own.toml").write_bytes(toml)
    (tmp_path / "rows.jsonl").write_bytes(rows)
    file = tmp_path / ("own.toml" if described else "rows.jsonl")
    made = context(cache=tmp_path / "cache")
    fuzz.outcome(
        "own benchmark",
        lambda: OwnBenchmark(OwnOptions(file=str(file)), made).tasks(),
        shown=(toml if described else b"", rows),
    )
