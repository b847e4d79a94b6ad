"""Lines that are JSON and not a ledger's: refused with the field that does not fit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.contract.errors import LedgerError
from harness.contract.records import encode
from harness.readout import read_run
from harness.readout.folders import glance
from harness.readout.index import SampleIndex
from harness.recording.history import read_history

STEP = {"t": "step", "metrics": {"stage": "s", "step": 1}}
GROUP = {
    "task": "t",
    "subject": "s",
    "step": 1,
    "statuses": ["pass"],
    "scores": [],
    "rewards": [1.0],
    "lengths": [1],
}


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ({"t": "stage_finished"}, "`stage`"),
        ({"t": "labels", "stage": "s", "labels": 3}, "labels"),
        ({"t": "checkpoint", "stage": "s", "checkpoint": None}, "checkpoint"),
        (STEP, "rollouts"),
        ({"t": "evaluation", "name": "final", "heldout": ["x"]}, "heldout"),
        ({"t": "evaluation", "name": "final", "heldout": "x", "problems": {"p": {"samples": "1"}}},
        "problems"),
        ({"t": "finished", "spent_tokens": "many"}, "spent_tokens"),
    ],
)  # fmt: skip
def test_a_line_without_what_its_type_holds_is_refused(
    line: dict[str, Any], words: str, tmp_path: Path
) -> None:
    (tmp_path / "ledger.jsonl").write_bytes(encode(line) + b"\n")
    for look in (lambda: read_run(tmp_path), lambda: read_history(tmp_path / "ledger.jsonl")):
        with pytest.raises(LedgerError, match=words) as caught:
            look()
        assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize(
    "line",
    [
        {"t": "sample", "rollout": {}},
        {"t": "verdict", "scoring": "1"},
        {"t": "group", "stage": "s", "group": {"task": "t"}},
        {"t": "group", "stage": "s", "kept": True, "group": GROUP},
    ],
)
def test_a_sample_that_is_none_is_refused_by_the_index(line: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "ledger.jsonl").write_bytes(encode(line) + b"\n")
    with pytest.raises(LedgerError, match=str(tmp_path)):
        SampleIndex(tmp_path).catch_up()


@pytest.mark.parametrize(
    "plan", ["[" * 3000, '{"runs": [["main"]]}', '{"runs": [["main", "x"]]}', '{"overrides": ["="]}']
)
def test_a_plan_that_is_none_is_refused(plan: str, tmp_path: Path) -> None:
    (tmp_path / "study.json").write_text(plan)
    (tmp_path / "recipe.toml").write_text('name = "r"\n')
    with pytest.raises(LedgerError, match=r"study\.json"):
        glance(tmp_path)


def test_how_far_a_study_is_can_be_told_of_a_last_line_that_does_not_fit(tmp_path: Path) -> None:
    run = tmp_path / "main" / "seed-0"
    run.mkdir(parents=True)
    for line in ({"t": "step"}, {"t": "group", "group": 1}):
        (run / "ledger.jsonl").write_bytes(encode(line) + b"\n")
        assert glance(tmp_path).state == "0 of 1 run finished"
    (run / "ledger.jsonl").write_bytes(b"no line\n")
    with pytest.raises(LedgerError, match="last line"):
        glance(tmp_path)
