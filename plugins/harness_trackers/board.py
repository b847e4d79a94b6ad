"""TensorBoard: event files that `tensorboard --logdir` shows."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.contract import BuildContext, TrackedRun
from harness_trackers.options import TensorBoardOptions

#: Seconds between two times that events are written out.
FLUSH_SECONDS = 10


class TensorBoard:
    """Writes a run's numbers as scalars (protocol `Tracker`).

    A run that goes on adds an event file to its folder. It begins with a session start at the first step that
    is done again, so that TensorBoard discards what an earlier file says of that step and later ones.
    """

    def __init__(self, options: TensorBoardOptions, context: BuildContext) -> None:
        self._options, self._base = options, context.base
        self._writer: Any = None

    def start(self, run: TrackedRun) -> None:
        from tensorboard.compat.proto.event_pb2 import Event, SessionLog
        from tensorboard.summary.writer.event_file_writer import EventFileWriter

        folder = self._folder(run)
        again = any(folder.glob("events.out.tfevents.*"))
        self._writer = EventFileWriter(str(folder), flush_secs=FLUSH_SECONDS)
        if again:
            start = SessionLog(status=SessionLog.START)
            self._writer.add_event(Event(wall_time=time.time(), step=run.steps + 1, session_log=start))

    def log(self, step: int, values: Mapping[str, float]) -> None:
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary

        scalars = [Summary.Value(tag=name, simple_value=value) for name, value in values.items()]
        self._writer.add_event(Event(wall_time=time.time(), step=step, summary=Summary(value=scalars)))

    def close(self, *, finished: bool) -> None:
        self._writer.close()

    def _folder(self, run: TrackedRun) -> Path:
        info = run.info
        if self._options.folder is None:
            return info.folder / "tensorboard"
        place = self._base / Path(self._options.folder).expanduser()
        return place / info.recipe / info.arm / f"seed-{info.seed}-{run.id[:8]}"
