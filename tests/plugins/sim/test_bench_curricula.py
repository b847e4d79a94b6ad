"""The bench that ranks curricula: paired by seed, the baseline at 1, and what is kept for the page."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from harness.plugging.plugins import load
from tests.support.places import ROOT


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The bench on 400 problems with rates from 0 to 1."""
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    spec = importlib.util.spec_from_file_location("bench_curricula", ROOT / "bench" / "curricula.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "bench_curricula", module)
    spec.loader.exec_module(module)
    rates = tmp_path / "rates.jsonl"
    rates.write_text("\n".join(json.dumps({"id": f"p{i}", "pass_rate": i / 400}) for i in range(401)))
    monkeypatch.setattr(module, "RATES", rates)
    monkeypatch.setattr(module, "TABLE", tmp_path / "table.json")
    return module


def test_the_baseline_has_ratio_one_and_the_fewest_rollouts_come_first(bench: ModuleType) -> None:
    kept: list[Any] = []
    rows = bench.ranked(load(), "strata", ["uniform", "adarft"], [-1.5], 2, kept.append)
    assert [row["arm"] for row in rows] == ["adarft", "uniform"]
    assert rows[1]["ratio"] == [1.0, 1.0]
    assert rows[0]["ratio"][1] < 0.9
    assert [len(rows_so_far) for rows_so_far in kept] == [1, 2]
    assert [row["crossed"] for row in rows] == [[2, 2], [2, 2]]


def test_a_run_ends_two_steps_after_it_has_reached_its_target(bench: ModuleType, tmp_path: Path) -> None:
    at = bench.ground("problems", load(), tmp_path)
    curve = bench.curve(load(), at, "speed", 0.0, 0)
    target = at.score(bench.GAIN)
    assert [score >= target for _, score in curve[-3:]] == [False, True, True]
    assert curve[-1][0] < bench.BUDGET


def test_what_was_measured_is_kept_by_ground_beside_what_was_measured_before(bench: ModuleType) -> None:
    for name, arm, ratio in (
        ("problems", "uniform", 1.0),
        ("strata", "uniform", 1.0),
        ("strata", "sec", 0.5),
    ):
        bench.kept(name, [0.0], [{"arm": arm, "ratio": [ratio, ratio]}])
    told = json.loads(bench.TABLE.read_text())
    assert {name: [row["arm"] for row in table["rows"]] for name, table in told.items()} == {
        "problems": ["uniform"],
        "strata": ["sec", "uniform"],
    }
    assert told["strata"]["students"] == [0.0]
