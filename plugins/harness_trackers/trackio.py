"""Trackio: a run of a project in Trackio's local database."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.contract import BuildContext, HarnessError, TrackedRun
from harness_trackers.options import TrackioOptions


class Trackio:
    """Logs a run's numbers (protocol `Tracker`), in the run of Trackio whose name ends as its id begins.

    Trackio keeps every value of a step: one that is done again after a resume is there twice. It warns of
    what it cannot write and goes on; so its rows are counted at the start and in the end.
    """

    def __init__(self, options: TrackioOptions, context: BuildContext) -> None:
        self._options = options
        self._run: Any = None
        #: Rows of the run that were there before, and those that were added.
        self._before, self._added = 0, 0

    def start(self, run: TrackedRun) -> None:
        import trackio

        self._run = trackio.init(
            project=self._options.project or run.info.recipe,
            name=f"{run.info.arm}, seed {run.info.seed}, {run.id[:8]}",
            group=run.info.arm,
            config=dict(run.facts),
            resume="allow",
            # Numbers of the run alone, and nothing of a notebook's.
            embed=False, auto_log_cpu=False, auto_log_gpu=False,
        )  # fmt: skip
        self._before = self._held()

    def log(self, step: int, values: Mapping[str, float]) -> None:
        self._run.log(dict(values), step=step)
        self._added += 1

    def close(self, *, finished: bool) -> None:
        self._run.finish()
        held, told = self._held(), self._before + self._added
        if self._in_database() and held < told:
            raise HarnessError(
                f"Trackio's database {self._place()} holds {held} of the run's {told} rows; "
                "its warnings say why"
            )

    def _in_database(self) -> bool:
        """Whether rows go to the local database, not to a server or (network file systems) to fragments."""
        from trackio.utils import get_storage_mode

        return self._run.url is None and get_storage_mode() == "sqlite"

    def _held(self) -> int:
        """Rows of the run in the local database."""
        from trackio.sqlite_storage import SQLiteStorage

        if not self._in_database():
            return 0
        run = self._run
        try:
            return int(SQLiteStorage.get_log_count(run.project, run.name, run_id=run.id))
        except sqlite3.Error as error:
            raise HarnessError(
                f"Trackio's database {self._place()} cannot be read ({error}): "
                "set TRACKIO_DIR to a folder that can be written to"
            ) from error

    def _place(self) -> Path:
        """The file that the project's rows are in."""
        from trackio.sqlite_storage import SQLiteStorage

        place: Path = SQLiteStorage.get_project_db_path(self._run.project)
        return place
