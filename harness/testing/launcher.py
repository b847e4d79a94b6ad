"""What every launcher must do, tried with short commands in the place of runs."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest

from harness.contract.launching import Launch, LaunchedRun, Launcher, RunState
from harness.contract.protocols import RunInfo
from harness.testing.plugin import Build

#: A run that says so, leaves a line in its folder per start, and ends with a code.
SHORT = (
    "import sys, pathlib; print('at work'); pathlib.Path({marks!r}).open('a').write('x'); sys.exit({code})"
)
#: A run that leaves its line and goes on until the file `end` is there.
LONG = """
import pathlib, time
pathlib.Path({marks!r}).open('a').write('x')
while not pathlib.Path({end!r}).exists():
    time.sleep(0.05)
"""


class LauncherConformance:
    """Subclass with the registered name and options; the place where its runs are started is there."""

    name: ClassVar[str]
    options: ClassVar[Mapping[str, Any]] = {}
    #: Whether its runs go on if the study is killed, so that a resumed study follows them.
    outlives: ClassVar[bool] = False
    #: Seconds that a run may take to start or to end.
    patience: ClassVar[float] = 60.0

    def launcher(self, build: Build) -> Launcher:
        """The launcher; override it for one that is in no registry."""
        made: Launcher = build("launchers", self.name, **self.options)
        return made

    @pytest.fixture(autouse=True)
    def no_run_is_left(self, tmp_path: Path) -> Iterator[None]:
        """Let every run end with its test, also if the launcher lost it or the test failed."""
        yield
        for folder in [path for path in tmp_path.rglob("*") if path.is_dir()]:
            (folder / "end").touch()

    @staticmethod
    def launch(folder: Path, script: str, *, finished: bool = False, **values: Any) -> Launch:
        """A run in `folder` whose command is a Python script."""
        folder.mkdir(parents=True, exist_ok=True)
        filled = script.format(marks=str(folder / "marks"), end=str(folder / "end"), **values)
        run = RunInfo(folder, "study", "main", 0)
        return Launch(run, (sys.executable, "-c", filled), folder / "log.txt", finished)

    @staticmethod
    def starts(launch: Launch) -> int:
        """How often the command was executed."""
        marks = launch.run.folder / "marks"
        return len(marks.read_text(encoding="utf-8")) if marks.exists() else 0

    def wait(self, run: LaunchedRun, until: Callable[[RunState], bool], what: str) -> RunState:
        """Poll as a study does, until something is so."""
        deadline = time.monotonic() + self.patience
        while True:
            state = run.poll()
            assert isinstance(state, RunState), f"poll returned {type(state).__name__}; allowed: RunState"
            if until(state):
                return state
            assert time.monotonic() < deadline, f"after {self.patience:g} s the run {what}: {state}"
            time.sleep(0.05)

    def ended(self, run: LaunchedRun) -> RunState:
        return self.wait(run, lambda state: state.code is not None, "has not ended")

    def test_its_width_is_a_number_of_runs_or_none(self, harness_build: Build) -> None:
        width = self.launcher(harness_build).width
        fits = width is None or (isinstance(width, int) and not isinstance(width, bool) and width > 0)
        assert fits, f"width is {width!r}; allowed: None or a number of runs above 0"

    def test_a_run_is_executed_once_and_ends_well(self, harness_build: Build, tmp_path: Path) -> None:
        launch = self.launch(tmp_path / "run", SHORT, code=0)
        state = self.ended(self.launcher(harness_build).start(launch))
        assert state.code == 0, f"a run that ended well is told with {state}"
        assert self.starts(launch) == 1, f"its command was executed {self.starts(launch)} times"

    def test_what_a_run_prints_is_added_to_its_log(self, harness_build: Build, tmp_path: Path) -> None:
        launch = self.launch(tmp_path / "run", SHORT, code=0)
        launch.log.write_text("before\n", encoding="utf-8")
        self.ended(self.launcher(harness_build).start(launch))
        log = launch.log.read_text(encoding="utf-8")
        assert "at work" in log, f"what the run printed is not in its log: {log!r}"
        assert log.startswith("before\n"), "the log of an earlier start is gone"

    def test_a_run_that_fails_is_told_and_stays_told(self, harness_build: Build, tmp_path: Path) -> None:
        run = self.launcher(harness_build).start(self.launch(tmp_path / "run", SHORT, code=3))
        state = self.ended(run)
        assert state.code != 0, "a run that failed is told as one that ended well"
        assert run.poll() == state, "once a run has ended, poll says the same again"

    def test_a_run_in_progress_has_no_code(self, harness_build: Build, tmp_path: Path) -> None:
        launch = self.launch(tmp_path / "run", LONG)
        run = self.launcher(harness_build).start(launch)
        self.wait(run, lambda state: state.code is not None or self.starts(launch) == 1, "has not begun")
        assert run.poll().code is None, f"a run in progress is told with {run.poll()}"
        (launch.run.folder / "end").touch()
        assert self.ended(run).code == 0

    def test_runs_side_by_side_are_told_apart(self, harness_build: Build, tmp_path: Path) -> None:
        launcher = self.launcher(harness_build)
        launches = [self.launch(tmp_path / f"run-{code}", SHORT, code=code) for code in (0, 3)]
        runs = [launcher.start(launch) for launch in launches]
        codes = [self.ended(run).code for run in runs]
        assert (codes[0], bool(codes[1])) == (0, True), f"runs that ended with 0 and 3 are told with {codes}"
        assert [self.starts(launch) for launch in launches] == [1, 1]

    def test_a_finished_run_is_told_as_one(self, harness_build: Build, tmp_path: Path) -> None:
        launch = self.launch(tmp_path / "run", SHORT, code=0, finished=True)
        assert self.ended(self.launcher(harness_build).start(launch)).code == 0

    def test_an_interrupt_ends_a_run(self, harness_build: Build, tmp_path: Path) -> None:
        launch = self.launch(tmp_path / "run", LONG)
        run = self.launcher(harness_build).start(launch)
        self.wait(run, lambda state: state.code is not None or self.starts(launch) == 1, "has not begun")
        run.leave(interrupted=True)
        assert self.ended(run).code != 0, "an interrupted run is told as one that ended well"
        (launch.run.folder / "end").touch()

    def test_a_run_that_goes_on_alone_is_followed(self, harness_build: Build, tmp_path: Path) -> None:
        if not self.outlives:
            pytest.skip("its runs end with the study")
        launch = self.launch(tmp_path / "run", LONG)
        first = self.launcher(harness_build).start(launch)
        self.wait(first, lambda state: self.starts(launch) == 1, "has not begun")
        first.leave(interrupted=False)
        again = self.launcher(harness_build).start(launch)
        assert again.poll().code is None, "a run that goes on is told as one that ended"
        (launch.run.folder / "end").touch()
        assert self.ended(again).code == 0
        assert self.starts(launch) == 1, "a run that was still going on was started a second time"
