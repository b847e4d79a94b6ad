"""What every tracker must do, tried with the numbers of a short run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest

from harness.contract.protocols import RunInfo
from harness.contract.records import digest
from harness.contract.tracking import TrackedRun, Tracker
from harness.testing.plugin import Build


def rate(step: int) -> float:
    """The pass rate of a step; as a float of 32 bits it is the same."""
    return step / 8


class TrackerConformance:
    """Subclass with the registered name and options; the place that it writes to is there.

    Override `shown`, too: without it the suite sees what a tracker takes, and not what it shows.
    """

    name: ClassVar[str]
    options: ClassVar[Mapping[str, Any]] = {}

    def tracker(self, build: Build) -> Tracker:
        """The tracker; override it for one whose options depend on the test."""
        made: Tracker = build("trackers", self.name, **self.options)
        return made

    def shown(self, run: TrackedRun) -> Mapping[int, float] | None:
        """The values of `pass_rate` that the tracker shows of a run, by step; None if they cannot be read."""
        return None

    @pytest.fixture
    def run(self, tmp_path: Path) -> TrackedRun:
        """A run that begins, with a ledger in its folder."""
        folder = tmp_path / "main" / "seed-0"
        folder.mkdir(parents=True)
        (folder / "ledger.jsonl").write_text('{"t":"opened"}\n', encoding="utf-8")
        facts: dict[str, str | int] = {
            "recipe": "short", "arm": "main", "seed": 0, "model": "student", "trainer": "sim",
        }  # fmt: skip
        return TrackedRun(RunInfo(folder, "short", "main", 0), digest(str(folder)) * 2, 0, facts)

    def log(self, build: Build, run: TrackedRun, steps: range, *, finished: bool) -> None:
        """Track some steps of a run, as one process does."""
        tracker = self.tracker(build)
        tracker.start(run)
        for step in steps:
            tracker.log(step, {"pass_rate": rate(step), "reward/length": -1.0})
            tracker.log(step, {"items/pass@1": 0.5})
        tracker.close(finished=finished)

    def test_it_takes_a_run_from_start_to_end(self, harness_build: Build, run: TrackedRun) -> None:
        self.log(harness_build, run, range(3), finished=True)

    def test_it_takes_a_run_that_goes_on(self, harness_build: Build, run: TrackedRun) -> None:
        """Another process does the last step again: the run's checkpoint was before it."""
        self.log(harness_build, run, range(3), finished=False)
        self.log(harness_build, replace(run, steps=1), range(2, 4), finished=True)

    def test_it_takes_a_run_that_ends_at_once(self, harness_build: Build, run: TrackedRun) -> None:
        self.log(harness_build, run, range(0), finished=False)

    def test_it_shows_every_step_that_it_was_told(self, harness_build: Build, run: TrackedRun) -> None:
        self.log(harness_build, run, range(3), finished=True)
        self.check(run, range(3), "not shown when the run has ended, step 0 and the last one included")

    def test_a_run_that_goes_on_keeps_what_is_there(self, harness_build: Build, run: TrackedRun) -> None:
        self.log(harness_build, run, range(3), finished=False)
        self.log(harness_build, replace(run, steps=1), range(2, 4), finished=True)
        self.check(run, range(4), "not shown after the run went on")

    def test_runs_are_told_apart_by_their_ids(self, harness_build: Build, run: TrackedRun) -> None:
        """The same recipe, arm and seed in another folder is another run."""
        folder = run.info.folder.parents[1] / "again" / "seed-0"
        folder.mkdir(parents=True)
        other = replace(run, id=run.id[::-1], info=replace(run.info, folder=folder))
        self.log(harness_build, run, range(2), finished=True)
        self.log(harness_build, other, range(2, 4), finished=True)
        self.check(run, range(2), "not those of this run: another one has the same recipe, arm and seed")
        self.check(other, range(2, 4), "not those of this run: another one has the same recipe, arm and seed")

    def check(self, run: TrackedRun, steps: range, fault: str) -> None:
        """What is shown of a run is what it was told of these steps."""
        shown = self.shown(run)
        if shown is None:
            pytest.skip("the suite was given no `shown`, which reads what the tracker shows")
        told = {step: rate(step) for step in steps}
        assert dict(shown) == pytest.approx(told), f"values are {fault}: {dict(shown)}; told were {told}"

    def test_the_record_stays_as_it_was(self, harness_build: Build, run: TrackedRun) -> None:
        ledger = run.info.folder / "ledger.jsonl"
        before = ledger.read_bytes()
        self.log(harness_build, run, range(3), finished=True)
        assert ledger.read_bytes() == before, "it changed the run's ledger"
