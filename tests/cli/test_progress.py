"""Progress: what a ledger says, as it grows, for a terminal and for a pipe."""

from __future__ import annotations

import io
from pathlib import Path

from rich.console import Console

from harness.cli.progress import PLAIN_EVERY, RunView, say, table, views_of
from harness.contract.records import StepMetrics
from harness.planning.plan import make_plans
from harness.plugging.plugins import Plugins
from harness.recipe import load_recipe
from harness.recording.ledger import SCHEMA, Ledger
from harness.running.study import create
from tests.support.recipes import SIM


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
        ledger.append("opened", schema=SCHEMA)
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


def test_an_evaluation_without_a_score_is_told_with_its_reason(tmp_path: Path) -> None:
    shown = view(tmp_path / "l")
    reason = "4 of 10 samples could not be judged"
    with Ledger(tmp_path / "l") as ledger:
        ledger.append("opened", schema=SCHEMA)
        ledger.append("evaluation", name="inside", heldout="items", stage="first", scores={"mean": 0.5})
        ledger.append("evaluation", name="inside", heldout="items", stage="first", scores={}, refused=reason)
    shown.update()
    assert shown.news == [f"items inside first: no score: {reason}"]
    assert shown.score == 0.5, "the last score that there is"


def test_a_line_that_is_being_written_is_left_for_later(tmp_path: Path) -> None:
    path = tmp_path / "l"
    path.write_bytes(b'{"t":"opened","schema":2}\n{"t":"stage_sta')
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
        ledger.append("opened", schema=SCHEMA)
        ledger.append("step", metrics=step(3), spent_rollouts=512, spent_tokens=5900)
    shown.update()
    out = io.StringIO()
    say([shown], out, now=PLAIN_EVERY)
    line = out.getvalue()
    for part in (
        "main: first, step 3", "512 rollouts of 1,024", "pass rate 0.31", "reward 0.25",
        "zero-variance groups 50\u2009%", "truncated 12\u2009%", "10,000 tokens/s", "to go",
    ):  # fmt: skip
        assert part in line
    say([shown], out, now=PLAIN_EVERY * 1.5)
    assert out.getvalue() == line, "the next line comes after a while, not at once"
    console = Console(file=io.StringIO(), width=160)
    console.print(table([shown]))
    drawn = console.file.getvalue()  # type: ignore[attr-defined]
    for part in ("first, step 3", "512 / 1,024", "0.31", "0.25", "50\u2009%", "12\u2009%", "10,000"):
        assert part in drawn


def test_the_end_is_told_once_however_long_reporting_takes(tmp_path: Path) -> None:
    shown = view(tmp_path / "l")
    with Ledger(tmp_path / "l") as ledger:
        ledger.append("opened", schema=SCHEMA)
        ledger.append("step", metrics=step(3), spent_rollouts=1024, spent_tokens=5900)
        ledger.append("finished")
    shown.update()
    out = io.StringIO()
    for turn in range(1, 5):
        say([shown], out, now=PLAIN_EVERY * turn)
    assert out.getvalue().count("finished") == 1


def test_there_is_no_estimate_before_there_is_a_pace(tmp_path: Path) -> None:
    shown = view(tmp_path / "l", budget=None)
    with Ledger(tmp_path / "l") as ledger:
        ledger.append("opened", schema=SCHEMA)
        ledger.append("step", metrics=step(1), spent_rollouts=256, spent_tokens=5000)
    shown.update()
    assert shown.eta() is None


def test_where_nothing_was_judged_there_is_no_rate(tmp_path: Path) -> None:
    shown = view(tmp_path / "l")
    with Ledger(tmp_path / "l") as ledger:
        ledger.append("opened", schema=1)
        ledger.append("step", metrics=step(1, rollouts=8, pass_rate=0.0, unjudged=1.0), spent_rollouts=8)
    shown.update()
    out = io.StringIO()
    say([shown], out, now=PLAIN_EVERY)
    assert "none of 8 rollouts could be judged" in out.getvalue()
    assert "rate" not in out.getvalue()
    console = Console(file=io.StringIO(), width=160)
    console.print(table([shown]))
    drawn = console.file.getvalue()  # type: ignore[attr-defined]
    assert "nothing could be judged" in drawn
    assert "0.00" not in drawn


def test_a_share_that_was_not_judged_is_told(tmp_path: Path) -> None:
    shown = view(tmp_path / "l")
    with Ledger(tmp_path / "l") as ledger:
        ledger.append("opened", schema=1)
        ledger.append("step", metrics=step(1, unjudged=0.25), spent_rollouts=8)
    shown.update()
    out = io.StringIO()
    say([shown], out, now=PLAIN_EVERY)
    assert "pass rate 0.31" in out.getvalue()
    assert "25\u2009% not judged" in out.getvalue()


def test_each_run_is_shown_with_its_arms_budget(tmp_path: Path, harness_plugins: Plugins) -> None:
    recipe = tmp_path / "r.toml"
    recipe.write_text(
        SIM
        + """
[[arms]]
name = "whole"
[[arms]]
name = "half"
set.budget.rollouts = 512
"""
    )
    file = load_recipe(recipe, ["budget.rollouts=1024"])
    plans = make_plans(file, harness_plugins)
    study = create(file, plans, tmp_path / "runs", (), ())
    assert {view.title: view.budget for view in views_of(study, plans)} == {"whole": 1024, "half": 512}
