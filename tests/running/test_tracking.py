"""Trackers hear a run's numbers at steps counted over all stages, and harm no run."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.contract.records import StepMetrics
from harness.planning.plan import make_plans
from harness.plugging.plugins import LOCAL_FILE, load
from harness.recipe import load_recipe
from harness.recording.history import History
from harness.recording.ledger import read
from harness.running import tracking
from harness.running.loop import run
from harness.running.tracking import Steps, identity_of, values_of
from tests.support.recipes import SIM, write

TRACKERS = '''
import json, threading
from harness import hookimpl

@hookimpl
def register_trackers(register):
    for name in ("keeping", "unreachable", "raising", "hanging", "leaving"):
        register(name, f"{__name__}:{name.title()}")

class Keeping:
    """Keeps what it is told, a line per call."""
    def __init__(self, options, context): ...
    def start(self, run):
        self.path = run.info.folder / "told.jsonl"
        self.tell("start", run.id, run.steps, dict(run.facts))
    def log(self, step, values): self.tell("log", step, dict(values))
    def close(self, *, finished): self.tell("close", finished)
    def tell(self, *what):
        with self.path.open("a") as file:
            file.write(json.dumps(what) + "\\n")

class Unreachable(Keeping):
    def start(self, run): raise ConnectionError("no route to host\\nwith details")

class Raising(Keeping):
    def log(self, step, values): raise ValueError(f"step {step}")

class Leaving(Keeping):
    def log(self, step, values): raise SystemExit(3)

class Hanging(Keeping):
    def log(self, step, values): threading.Event().wait()
'''
#: One stage after the other, two steps each.
SHORT = ("stages.0.repeat=2", "stages.0.max_steps=2", "stages.0.gates=[]", "stages.0.curriculum=uniform",
         "evaluation.every_steps=1", "checkpoints.every_steps=1")  # fmt: skip


def track(tmp_path: Path, *trackers: str, changes: tuple[str, ...] = ()) -> Path:
    """A run with these trackers, from the start or from where it stopped; its folder."""
    path = write(tmp_path, SIM)
    (path.parent / LOCAL_FILE).write_text(TRACKERS)
    names = ", ".join(f'"local/{name}"' for name in trackers)
    recipe = load_recipe(path, (*SHORT, f"report.trackers=[{names}]", *changes))
    (plan,) = make_plans(recipe, load(local=path.parent / LOCAL_FILE))
    run(plan, tmp_path / "run")
    return tmp_path / "run"


def told(folder: Path) -> list[list[Any]]:
    import json

    return [json.loads(line) for line in (folder / "told.jsonl").read_text().splitlines()]


def test_a_tracker_hears_what_the_ledger_holds(tmp_path: Path) -> None:
    folder = track(tmp_path, "keeping")
    start, *logged, end = told(folder)
    assert (start[0], start[2], end) == ("start", 0, ["close", True])
    assert start[3] == {
        "recipe": "small-sim", "arm": "main", "seed": 0, "model": "student", "trainer": "sim"
    }  # fmt: skip
    metrics = [line["metrics"] for line in read(folder / "ledger.jsonl") if line["t"] == "step"]
    heard = [(step, values) for _, step, values in logged if "pass_rate" in values]
    assert [step for step, _ in heard] == [1, 2, 3, 4]
    for (_, values), line in zip(heard, metrics, strict=True):
        flat = line | line["extra"]
        assert values == {
            name: value
            for name, value in flat.items()
            if name not in ("stage", "step", "extra") and value is not None
        }


def test_evaluations_stand_at_their_step_over_all_stages(tmp_path: Path) -> None:
    folder = track(tmp_path, "keeping")
    evaluations = [line for line in read(folder / "ledger.jsonl") if line["t"] == "evaluation"]
    offsets = {"": 0, "s-1": 0, "s-2": 2}
    heard = [(step, values) for _, step, values in told(folder)[1:-1] if "items/mean" in values]
    assert [(step, values["items/mean"]) for step, values in heard] == [
        (offsets[line["stage"]] + line["step"], line["scores"]["mean"]) for line in evaluations
    ]


def test_a_resumed_run_goes_on_under_the_same_identity(tmp_path: Path) -> None:
    """Killed after the first step of the second stage: that step's checkpoint stands."""
    folder = track(tmp_path, "keeping")
    first = told(folder)
    ledger = folder / "ledger.jsonl"
    lines = ledger.read_bytes().splitlines(keepends=True)
    saved = [i for i, line in enumerate(lines) if b'"t":"checkpoint"' in line and b'"stage":"s-2"' in line]
    ledger.write_bytes(b"".join(lines[: saved[0] + 1]))
    (folder / "told.jsonl").unlink()
    track(tmp_path, "keeping")
    again = told(folder)
    assert again[0] == ["start", first[0][1], 3, first[0][3]]
    assert [step for _, step, values in again[1:-1] if "pass_rate" in values] == [4]
    assert again[-1] == ["close", True]


def test_trackers_change_no_fact_of_a_run(tmp_path: Path) -> None:
    """So they can be added to a run that goes on."""
    folder = track(tmp_path)
    before = (folder / "ledger.jsonl").read_bytes()
    track(tmp_path, "keeping")
    assert (folder / "ledger.jsonl").read_bytes() == before
    assert told(folder)[-1] == ["close", True]


@pytest.fixture
def short_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracking, "CLOSE_SECONDS", 0.2)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("unreachable", "ConnectionError: no route to host"),
        ("raising", "ValueError: step 0"),
        ("leaving", "SystemExit: 3"),
        ("hanging", "it was not done 0.2 s after the run"),
    ],
)
def test_a_tracker_that_fails_is_named_once_and_harms_neither_run_nor_others(
    name: str, reason: str, tmp_path: Path, caplog: pytest.LogCaptureFixture, short_patience: None
) -> None:
    caplog.set_level(logging.WARNING)
    folder = track(tmp_path, name)
    lines = list(read(folder / "ledger.jsonl"))
    assert [line["t"] for line in lines if line["t"] == "finished"] == ["finished"]
    failures = [line for line in lines if line["t"] == "plugin_failed"]
    assert [(line["plugin"], line["reason"]) for line in failures] == [(f"local/{name}", reason)]
    assert [record.getMessage() for record in caplog.records] == [
        f"tracker 'local/{name}' failed, and the run goes on without it: {reason}"
    ]


def test_the_others_hear_all_of_it(tmp_path: Path) -> None:
    folder = track(tmp_path, "raising", "keeping", "unreachable")
    heard = told(folder)
    assert [step for what, step, *values in heard if what == "log" and "pass_rate" in values[0]] == [
        1,
        2,
        3,
        4,
    ]


def test_one_that_is_far_behind_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracking, "BACKLOG", 3)
    monkeypatch.setattr(tracking, "CLOSE_SECONDS", 0.0)
    folder = track(tmp_path, "hanging")
    (failure,) = [line for line in read(folder / "ledger.jsonl") if line["t"] == "plugin_failed"]
    assert failure["reason"] == "it is 3 calls behind"


def test_an_option_that_does_not_fit_ends_nothing_but_the_plan(tmp_path: Path) -> None:
    from harness.contract.errors import HarnessError

    with pytest.raises(HarnessError, match=r"report.trackers.0"):
        track(tmp_path, changes=('report.trackers=[{name = "tensorboard", fodler = "x"}]',))


def test_a_runs_identity_is_made_once(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
    one = identity_of(tmp_path / "one")
    assert (len(one), one) == (32, identity_of(tmp_path / "one"))
    assert one != identity_of(tmp_path / "two")


def test_numbers_keep_their_names_and_what_is_absent_is_left_out() -> None:
    metrics = StepMetrics(
        stage="s", step=3, rollouts=8, tokens=80, reward_mean=0.5, reward_sd=0.1, pass_rate=0.5,
        zero_variance_groups=0.0, truncated=0.0, kl=None, loss=0.25, extra={"reward/length": 1.0},
    )  # fmt: skip
    values = values_of(metrics)
    assert (values["loss"], values["rollouts"], values["reward/length"]) == (0.25, 8.0, 1.0)
    assert not {"kl", "stage", "step", "extra"} & set(values)


@given(st.lists(st.integers(1, 50), max_size=5), st.integers(0, 50))
def test_steps_over_all_stages_never_go_back(lengths: list[int], under_way: int) -> None:
    """A run that goes on counts as one that was never interrupted."""
    history = History(stages={f"s{i}": {"step": n} for i, n in enumerate(lengths)})
    history.checkpoints = {f"s{i}": {"step": n} for i, n in enumerate(lengths)}
    if under_way:
        history.checkpoints["open"] = {"step": under_way}
    whole = Steps({})
    for i, n in enumerate(lengths):
        assert whole.inside(n) == sum(lengths[: i + 1])
        whole.end(f"s{i}", n)
    resumed = Steps.of(history)
    assert resumed.ended == whole.ended == sum(lengths)
    assert resumed.standing == sum(lengths) + under_way
