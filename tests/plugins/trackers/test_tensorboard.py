"""TensorBoard's own reader gives back what a run's ledger holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.contract.tracking import TrackedRun
from harness.planning.plan import make_plans
from harness.plugging.plugins import load
from harness.recipe import load_recipe
from harness.recording.ledger import read
from harness.running.loop import run
from harness.testing import TrackerConformance
from tests.support.recipes import SIM, write

accumulator = pytest.importorskip(
    "tensorboard.backend.event_processing.event_accumulator", reason="TensorBoard is not installed"
)

SHORT = ("stages.0.repeat=2", "stages.0.max_steps=2", "stages.0.gates=[]", "stages.0.curriculum=uniform",
         "checkpoints.every_steps=1")  # fmt: skip


class TestTensorBoard(TrackerConformance):
    name = "tensorboard"

    def shown(self, run: TrackedRun) -> dict[int, float]:
        scalars = shown(run.info.folder / "tensorboard").Scalars("pass_rate")
        return {event.step: event.value for event in scalars}


def track(tmp_path: Path, tracker: str = '"tensorboard"') -> Path:
    recipe = load_recipe(write(tmp_path, SIM), (*SHORT, f"report.trackers=[{tracker}]"))
    (plan,) = make_plans(recipe, load())
    run(plan, tmp_path / "run")
    return tmp_path / "run"


def shown(folder: Path) -> Any:
    board = accumulator.EventAccumulator(str(folder))
    board.Reload()
    return board


def test_it_shows_the_ledgers_numbers_under_the_ledgers_names(tmp_path: Path) -> None:
    folder = track(tmp_path)
    board = shown(folder / "tensorboard")
    steps = [line["metrics"] for line in read(folder / "ledger.jsonl") if line["t"] == "step"]
    for name in ("pass_rate", "reward_mean", "tokens", "grad_norm"):
        events = board.Scalars(name)
        assert [event.step for event in events] == [1, 2, 3, 4]
        assert [event.value for event in events] == pytest.approx([line[name] for line in steps])
    evaluations = [line for line in read(folder / "ledger.jsonl") if line["t"] == "evaluation"]
    means = [event.value for event in board.Scalars("items/mean")]
    assert means == pytest.approx([line["scores"]["mean"] for line in evaluations])


def test_steps_that_a_resumed_run_does_again_are_shown_once(tmp_path: Path) -> None:
    folder = track(tmp_path)
    ledger = folder / "ledger.jsonl"
    lines = ledger.read_bytes().splitlines(keepends=True)
    (cut,) = [i for i, line in enumerate(lines) if b'"t":"stage_finished","stage":"s-1"' in line]
    ledger.write_bytes(b"".join(lines[: cut + 1]))
    track(tmp_path)
    events = shown(folder / "tensorboard").Scalars("pass_rate")
    assert [event.step for event in events] == [1, 2, 3, 4]


def test_a_common_folder_holds_a_folder_per_run(tmp_path: Path) -> None:
    folder = track(tmp_path, '{name = "tensorboard", folder = "board"}')
    start = (folder / "tracking-id").read_text()[:8]
    (place,) = [path.parent for path in tmp_path.rglob("events.out.tfevents.*")]
    assert place.relative_to(place.parents[3]) == Path(f"board/small-sim/main/seed-0-{start}")
