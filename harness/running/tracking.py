"""Telling the trackers of a recipe what happened in a run, as a listener of its events.

Each tracker works in a thread of its own, so that one that is slow, hangs or cannot be reached delays no
step. One that fails is dropped: a line in the log and one in the ledger say so, and the run goes on.
"""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from queue import Full, Queue
from typing import Final

from harness.contract.hookspecs import hookimpl
from harness.contract.protocols import RunInfo
from harness.contract.records import Checkpoint, StepMetrics
from harness.contract.tracking import TrackedRun, Tracker
from harness.planning.plan import Plan
from harness.recipe import Stage
from harness.recording.history import History
from harness.recording.ledger import Ledger

#: File in the run's folder that holds its identity for trackers.
ID_FILE: Final = "tracking-id"
#: Seconds that all trackers together may take, when a run ends, for what they have not yet written.
CLOSE_SECONDS: Final = 60.0
#: Calls that may wait for a tracker; one that is further behind is dropped.
BACKLOG: Final = 10_000

Call = Callable[[Tracker], None]

log = logging.getLogger("harness.running.tracking")


class Tracking:
    """Listens to the events of one run and passes its numbers on to the recipe's trackers."""

    def __init__(self, plan: Plan, info: RunInfo, history: History, ledger: Ledger) -> None:
        self._plan, self._info, self._ledger = plan, info, ledger
        self._steps = Steps.of(history)
        self._lines: list[Line] = []
        self._finished = history.finished

    @hookimpl
    def run_started(self, run: RunInfo) -> None:
        recipe = self._plan.recipe
        facts: dict[str, str | int] = {
            "recipe": run.recipe, "arm": run.arm, "seed": run.seed,
            "model": recipe.model.name, "trainer": recipe.trainer.name,
        }  # fmt: skip
        tracked = TrackedRun(run, identity_of(run.folder), self._steps.standing, facts)
        for i, use in enumerate(recipe.report.trackers):

            def build(use=use, where=f"report.trackers.{i}") -> Tracker:  # type: ignore[no-untyped-def]
                tracker: Tracker = self._plan.build("trackers", use, where)
                tracker.start(tracked)
                return tracker

            self._lines.append(Line(use.name, build))

    @hookimpl
    def step_finished(self, metrics: StepMetrics) -> None:
        self._log(self._steps.inside(metrics.step), values_of(metrics))

    @hookimpl
    def evaluation_finished(self, name: str, scores: Mapping[str, float], stage: str, step: int) -> None:
        self._log(self._steps.evaluated(name, stage, step), scores)

    @hookimpl
    def stage_finished(self, stage: Stage, checkpoint: Checkpoint) -> None:
        self._steps.end(stage.name, checkpoint.policy.step)

    @hookimpl
    def run_finished(self) -> None:
        self._finished = True

    def close(self) -> None:
        """Let the trackers write what is left, for a while, and say which of them failed."""
        until = time.monotonic() + CLOSE_SECONDS
        for line in self._lines:
            line.end(finished=self._finished)
        for line in self._lines:
            line.wait(until)
        self._report()

    def _log(self, step: int, values: Mapping[str, float]) -> None:
        own = dict(values)
        for line in self._lines:
            line.put(lambda tracker: tracker.log(step, own))
        self._report()

    def _report(self) -> None:
        """Name each tracker that has failed, once, in the log and in the ledger."""
        for line in [line for line in self._lines if line.failure]:
            self._lines.remove(line)
            log.warning("tracker %r failed, and the run goes on without it: %s", line.name, line.failure)
            self._ledger.append("plugin_failed", event="tracking", plugin=line.name, reason=line.failure)


class Steps:
    """Steps counted over all stages, for ledgers that count them within each."""

    def __init__(self, ends: Mapping[str, int], under_way: int = 0) -> None:
        #: Steps from the run's start to the end of each finished stage.
        self._ends = dict(ends)
        self._under_way = under_way

    @classmethod
    def of(cls, history: History) -> Steps:
        """Where a run goes on: after its finished stages and the last checkpoint of the one under way."""
        steps = cls({})
        for stage, line in history.stages.items():
            steps.end(stage, line["step"])
        left = [line["step"] for stage, line in history.checkpoints.items() if stage not in history.stages]
        steps._under_way = left[-1] if left else 0
        return steps

    @property
    def ended(self) -> int:
        """Steps of the stages that are finished."""
        return max(self._ends.values(), default=0)

    @property
    def standing(self) -> int:
        """Steps that a resumed run does not do again."""
        return self.ended + self._under_way

    def inside(self, step: int) -> int:
        """A step of the stage under way."""
        return self.ended + step

    def evaluated(self, name: str, stage: str, step: int) -> int:
        """The step that an evaluation stands at, by its name and place in the ledger."""
        if name == "before":
            return 0
        return self.inside(step) if name == "inside" else self._ends.get(stage, self.ended)

    def end(self, stage: str, step: int) -> None:
        """A stage has ended after so many steps."""
        self._ends[stage] = self.ended + step


class Line:
    """The calls of one tracker, made one after the other in its own thread until one fails."""

    def __init__(self, name: str, build: Callable[[], Tracker]) -> None:
        self.name = name
        #: Why the tracker was given up, in one line; empty while it works.
        self.failure = ""
        self._build = build
        self._calls: Queue[Call | None] = Queue(BACKLOG)
        # A thread that hangs must not keep the process from ending.
        self._thread = threading.Thread(target=self._work, name=f"tracker {name}", daemon=True)
        self._thread.start()

    def put(self, call: Call | None) -> None:
        """Have a call made; None ends the thread."""
        try:
            self._calls.put_nowait(call)
        except Full:
            self.failure = f"it is {BACKLOG} calls behind"

    def end(self, *, finished: bool) -> None:
        """Have the tracker closed after what is still waiting."""
        self.put(lambda tracker: tracker.close(finished=finished))
        self.put(None)

    def wait(self, until: float) -> None:
        """Wait for the thread until a time of the monotonic clock; one that takes longer is left."""
        self._thread.join(max(0.0, until - time.monotonic()))
        if self._thread.is_alive() and not self.failure:
            self.failure = f"it was not done {CLOSE_SECONDS:g} s after the run"

    def _work(self) -> None:
        try:
            tracker = self._build()
            while not self.failure and (call := self._calls.get()) is not None:
                call(tracker)
        except BaseException as error:  # noqa: BLE001 - isolation: a tracker may fail, a run may not
            self.failure = f"{type(error).__name__}: {error}".partition("\n")[0]


def values_of(metrics: StepMetrics) -> dict[str, float]:
    """The numbers of a step by their names in the ledger, `extra` among them."""
    places = {"stage", "step", "extra"}
    own = {field.name: getattr(metrics, field.name) for field in fields(metrics) if field.name not in places}
    return {name: float(value) for name, value in (own | metrics.extra).items() if value is not None}


def identity_of(folder: Path) -> str:
    """The run's identity for trackers, made when they first hear of it and kept in its folder."""
    path = folder / ID_FILE
    if not path.exists():
        path.write_text(f"{uuid.uuid4().hex}\n", encoding="ascii")
    return path.read_text(encoding="ascii").strip()
