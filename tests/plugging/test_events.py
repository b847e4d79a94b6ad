"""Event hooks: every plugin hears of what happened, and none can harm the run or another."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness import hookimpl
from harness.contract import hookspecs
from harness.contract.protocols import RunInfo
from harness.plugging.events import EVENTS, EventFailure, Events
from harness.plugging.loading import new_manager

RUN = RunInfo(Path("runs/x"), "recipe", "main", 0)
#: A value for each argument of each event; the payloads' own types are the records' tests' business.
PAYLOADS: dict[str, dict[str, Any]] = {
    "run_started": {"run": RUN},
    "difficulty_measured": {"run": RUN, "stage": "easy", "labels": ["label"]},
    "stage_started": {"run": RUN, "stage": "stage"},
    "step_finished": {"run": RUN, "metrics": "metrics"},
    "evaluation_finished": {
        "run": RUN,
        "name": "final",
        "scores": {"pass@1": 0.5},
        "stage": "easy",
        "step": 3,
    },
    "checkpoint_saved": {"run": RUN, "checkpoint": "checkpoint"},
    "stage_finished": {"run": RUN, "stage": "stage", "reason": "plateau", "checkpoint": "checkpoint"},
    "run_finished": {"run": RUN, "checkpoint": "checkpoint"},
    "sample_failed": {"run": RUN, "rollout": "rollout", "verdict": "verdict"},
}


class Listener:
    """Implements every event with all of its arguments and keeps what it was told."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, dict[str, Any]]] = []

    @hookimpl
    def run_started(self, run: Any) -> None:
        self.heard.append(("run_started", {"run": run}))

    @hookimpl
    def difficulty_measured(self, run: Any, stage: Any, labels: Any) -> None:
        self.heard.append(("difficulty_measured", {"run": run, "stage": stage, "labels": list(labels)}))

    @hookimpl
    def stage_started(self, run: Any, stage: Any) -> None:
        self.heard.append(("stage_started", {"run": run, "stage": stage}))

    @hookimpl
    def step_finished(self, run: Any, metrics: Any) -> None:
        self.heard.append(("step_finished", {"run": run, "metrics": metrics}))

    @hookimpl
    def evaluation_finished(self, run: Any, name: Any, scores: Any, stage: Any, step: Any) -> None:
        payload = {"run": run, "name": name, "scores": dict(scores), "stage": stage, "step": step}
        self.heard.append(("evaluation_finished", payload))

    @hookimpl
    def checkpoint_saved(self, run: Any, checkpoint: Any) -> None:
        self.heard.append(("checkpoint_saved", {"run": run, "checkpoint": checkpoint}))

    @hookimpl
    def stage_finished(self, run: Any, stage: Any, reason: Any, checkpoint: Any) -> None:
        self.heard.append(
            ("stage_finished", {"run": run, "stage": stage, "reason": reason, "checkpoint": checkpoint})
        )

    @hookimpl
    def run_finished(self, run: Any, checkpoint: Any) -> None:
        self.heard.append(("run_finished", {"run": run, "checkpoint": checkpoint}))

    @hookimpl
    def sample_failed(self, run: Any, rollout: Any, verdict: Any) -> None:
        self.heard.append(("sample_failed", {"run": run, "rollout": rollout, "verdict": verdict}))


class Broken:
    @hookimpl
    def step_finished(self, metrics: Any) -> None:
        raise ValueError(f"cannot draw {metrics}")


class Quitter:
    @hookimpl
    def step_finished(self) -> None:
        sys.exit(3)


def events_with(*plugins: tuple[str, object], report: Any = None) -> Events:
    manager = new_manager()
    for name, plugin in plugins:
        manager.register(plugin, name=name)
    return Events(manager) if report is None else Events(manager, report)


def test_events_are_exactly_the_hooks_that_register_nothing() -> None:
    hooks = [name for name in vars(hookspecs) if hasattr(getattr(hookspecs, name), "harness_spec")]
    assert list(EVENTS) == [name for name in hooks if not name.startswith("register_")]


@pytest.mark.parametrize("event", EVENTS)
def test_a_listener_hears_every_event_with_all_its_arguments(event: str) -> None:
    listener = Listener()
    assert events_with(("listener", listener)).emit(event, **PAYLOADS[event]) == []
    assert listener.heard == [(event, PAYLOADS[event])]


def test_an_implementation_takes_the_arguments_it_names_even_with_defaults() -> None:
    heard: list[Any] = []

    class Subset:
        @hookimpl
        def stage_finished(self, reason: str, run: RunInfo | None = None, other: int = 7) -> None:
            heard.append((reason, run, other))

    events_with(("subset", Subset())).emit("stage_finished", **PAYLOADS["stage_finished"])
    assert heard == [("plateau", RUN, 7)]


@pytest.mark.parametrize("culprit", [Broken(), Quitter()], ids=["raises", "exits"])
def test_one_that_fails_is_named_and_the_others_still_hear(culprit: object) -> None:
    before, after, told = Listener(), Listener(), list[EventFailure]()
    events = events_with(("before", before), ("culprit", culprit), ("after", after), report=told.append)
    failures = events.emit("step_finished", **PAYLOADS["step_finished"])
    assert [(f.plugin, f.event, f.times) for f in failures] == [("culprit", "step_finished", 1)]
    assert told == failures
    assert "Traceback" in failures[0].detail
    assert len(before.heard) == len(after.heard) == 1
    assert events.emit("step_finished", **PAYLOADS["step_finished"])[0].times == 2


def test_failures_are_logged_by_default_in_full_once(caplog: pytest.LogCaptureFixture) -> None:
    events = events_with(("broken", Broken()))
    with caplog.at_level(logging.ERROR, logger="harness.plugging.events"):
        for _ in range(100):
            events.emit("step_finished", **PAYLOADS["step_finished"])
    first, second, *more = caplog.messages
    assert len(more) == 5
    assert "'broken' failed at step_finished" in first
    assert "Traceback" in first
    assert "2 times by now: ValueError: cannot draw metrics" in second
    assert "Traceback" not in second


def test_an_interrupt_is_not_a_failure_of_the_plugin() -> None:
    class Interrupted:
        @hookimpl
        def step_finished(self) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        events_with(("slow", Interrupted())).emit("step_finished", **PAYLOADS["step_finished"])


def test_payloads_are_read_only() -> None:
    class Vandal:
        @hookimpl
        def evaluation_finished(self, scores: Any) -> None:
            scores["pass@1"] = 1.0

        @hookimpl
        def difficulty_measured(self, labels: Any) -> None:
            labels.clear()

    events = events_with(("vandal", Vandal()), report=lambda failure: None)
    scores, labels = {"pass@1": 0.5}, ["label"]
    payload = PAYLOADS["evaluation_finished"] | {"scores": scores}
    assert "TypeError" in events.emit("evaluation_finished", **payload)[0].reason
    assert "AttributeError" in events.emit("difficulty_measured", run=RUN, stage="s", labels=labels)[0].reason
    assert (scores, labels) == ({"pass@1": 0.5}, ["label"])


def test_our_own_mistakes_are_not_swallowed() -> None:
    events = events_with()
    with pytest.raises(ValueError, match="did you mean 'step_finished'"):
        events.emit("step_finish", run=RUN)
    with pytest.raises(ValueError, match="takes"):
        events.emit("step_finished", run=RUN, metric=SimpleNamespace())
