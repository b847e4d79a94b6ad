"""Source `sim-rates`: items as difficult as published pass rates say."""

from __future__ import annotations

import gzip
import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from harness_sim.rates import SimRates

from harness.contract.errors import DataError
from harness.testing import TaskSourceConformance
from tests.support.data import data_folder

ROWS = [{"id": f"p{i:03d}", "pass_rate": i / 200} for i in range(201)]


@pytest.fixture
def write(tmp_path: Path) -> Any:
    def write(rows: list[dict[str, Any]]) -> str:
        path = tmp_path / "rates.jsonl.gz"
        path.write_bytes(gzip.compress("\n".join(map(json.dumps, rows)).encode()))
        return str(path)

    return write


class Rates(TaskSourceConformance):
    name = "sim-rates"

    @pytest.fixture(autouse=True)
    def _file(self, write: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(type(self), "options", {**self.options, "path": write(ROWS)})


class TestSimRatesTasks(Rates):
    options = {"samples": 200}


class TestSimRatesStrata(Rates):
    options = {"samples": 200, "form": "strata", "strata": 7}


def build(harness_build: Any, path: str, **options: Any) -> SimRates:
    made: SimRates = harness_build("task_sources", "sim-rates", path=path, samples=200, **options)
    return made


def test_a_student_of_ability_0_passes_an_item_as_often_as_the_reference_did(
    harness_build: Any, write: Any
) -> None:
    source = build(harness_build, write(ROWS), heldout_share=0)
    assert len(source.subjects()) == 201
    for row in (ROWS[0], ROWS[20], ROWS[100], ROWS[200]):
        b = source.draw(str(row["id"]), 0).meta["b"]
        assert 1 / (1 + np.exp(b)) == pytest.approx((row["pass_rate"] * 200 + 0.5) / 201)


def test_subjects_stand_from_easy_to_hard_and_splits_share_no_row(harness_build: Any, write: Any) -> None:
    path = write(ROWS)
    train, heldout = (build(harness_build, path, split=split) for split in ("train", "heldout"))
    assert not set(train.subjects()) & set(heldout.subjects())
    assert len(train.subjects()) + len(heldout.subjects()) == 201
    assert (np.diff(train.difficulties) >= 0).all()


def test_copies_make_a_pool_of_any_size_in_the_same_order(harness_build: Any, write: Any) -> None:
    source = build(harness_build, write(ROWS), count=1000, heldout_share=0)
    assert len(set(source.subjects())) == 1000
    b = [source.draw(s, 0).meta["b"] for s in source.subjects()]
    assert b == sorted(b)
    assert len(set(b)) == 201


def test_strata_hold_neighbouring_rates_and_draw_all_of_them(harness_build: Any, write: Any) -> None:
    source = build(harness_build, write(ROWS), form="strata", strata=4, heldout_share=0)
    ranges = [{source.draw(s, i).meta["b"] for i in range(400)} for s in source.subjects()]
    assert [len(r) for r in ranges] == [50, 50, 50, 51]
    assert all(max(a) < min(b) for a, b in pairwise(ranges))


def test_a_rate_outside_of_0_to_1_and_an_empty_split_are_refused(harness_build: Any, write: Any) -> None:
    with pytest.raises(DataError, match="outside of 0 to 1"):
        build(harness_build, write([{"id": "a", "pass_rate": 1.2}]), heldout_share=0)
    with pytest.raises(DataError, match="no row in the split"):
        build(harness_build, write(ROWS), split="heldout", heldout_share=0)
    with pytest.raises(DataError, match="line 1"):
        build(harness_build, write([{"id": "a"}]))


def test_the_pass_rates_of_deepscaler_are_read(harness_build: Any) -> None:
    path = data_folder() / "difficulty" / "adarft_deepscaler_passrate.jsonl.gz"
    source = harness_build("task_sources", "sim-rates", path=str(path), heldout_share=0)
    assert len(source.subjects()) == 29_724
    assert (1 / (1 + np.exp(source.difficulties))).mean() == pytest.approx(0.4255, abs=0.001)
