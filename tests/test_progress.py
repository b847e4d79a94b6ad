"""Progress: what a ledger says, as it grows, for a terminal and for a pipe."""

from __future__ import annotations

import io
from pathlib import Path

from rich.console import Console

from harness.cli.progress import PLAIN_EVERY, RunView, say, table
from harness.ledger import Ledger
from harness.records import StepMetrics


def step(number: int, **changes: object) -> StepMetrics:
    values: dict[str, object] = {
        "stage": "first", "step": number, "rollouts": 256, "tokens": 5000, "reward_mean": 0.25,
        "reward_sd": 0.4, "pass_rate": 0.31, "zero_variance_groups": 0.5, "truncated": 0.125, "seconds": 0.5,
    }  # fmt: skip
    return StepMetrics(**(values | changes))  # type: ignore[arg-type]


def view(path: Path, budget: int | None = 1024) -> RunView:
    return RunView("main", path, budget)


def test_a_growing_ledger_is_followed_line_by_line(tmp_path: Path) -> None:
    shown = view(tmp_path / "l")
    shown.update()
    assert shown.doing == "waiting"
    with Ledger(tmp_path / "l") as ledger:
        ledger.append("opened", schema=1)
        ledger.append("measurement", stage="first", round=2, spent_rollouts=64, spent_tokens=900)
        shown.update()
        assert shown.doing == "measuring before first, round 2"
        ledger.append("stage_started", stage="first", subjects=["1", "2"])
        ledger.append("group", stage="first", group={})
        ledger.append("step", metrics=step(3), spent_rollouts=320, spent_tokens=5900)
        ledger.append("evaluation", name="after-stage", heldout="items", stage="first", scores={"mean": 0.5})
        shown.update()
    assert shown.doing == "first, step 3"
    assert (shown.rollouts, shown.tokens, shown.score) == (320, 5900, 0.5)
    assert shown.tokens_per_second() == 10_000
    assert shown.news == ["stage first starts on 2 subjects", "items after stage first: 0.500"]


def test_a_line_that_is_being_written_is_left_for_later(tmp_path: Path) -> None:
    path = tmp_path / "l"
    path.write_bytes(b'{"t":"opened","schema":1}\n{"t":"stage_sta')
    shown = view(path)
    shown.update()
    assert shown.news == []
    with path.open("ab") as file:
        file.write(b'rted","stage":"s","subjects":["1"]}\n')
    shown.update()
    assert shown.news == ["stage s starts on 1 subject"]


def test_plain_lines_say_all_that_the_table_says(tmp_path: Path) -> None:
    shown = view(tmp_path / "l")
    with Ledger(tmp_path / "l") as ledger:
        ledger.append("opened", schema=1)
        ledger.append("step", metrics=step(3), spent_rollouts=512, spent_tokens=5900)
    shown.update()
    out = io.StringIO()
    say([shown], out, now=PLAIN_EVERY)
    line = out.getvalue()
    for part in (
        "main: first, step 3", "512 rollouts of 1,024", "pass rate 0.31", "reward 0.25",
        "zero-variance groups 50%", "truncated 12%", "10,000 tokens/s", "to go",
    ):  # fmt: skip
        assert part in line
    say([shown], out, now=PLAIN_EVERY * 1.5)
    assert out.getvalue() == line, "the next line comes after a while, not at once"
    console = Console(file=io.StringIO(), width=160)
    console.print(table([shown]))
    drawn = console.file.getvalue()  # type: ignore[attr-defined]
    for part in ("first, step 3", "512 / 1,024", "0.31", "0.25", "50%", "12%", "10,000"):
        assert part in drawn


def test_there_is_no_estimate_before_there_is_a_pace(tmp_path: Path) -> None:
    shown = view(tmp_path / "l", budget=None)
    with Ledger(tmp_path / "l") as ledger:
        ledger.append("opened", schema=1)
        ledger.append("step", metrics=step(1), spent_rollouts=256, spent_tokens=5000)
    shown.update()
    assert shown.eta() is None
