"""A study's runs as jobs: submitted once, followed until they end, whoever is looking.

A job's name is made of its run's folder. So a study that is resumed, on whichever node, sees which of its
runs are in the queue, and follows them instead of submitting them twice.
"""

from __future__ import annotations

import contextlib
import sys
import time
from pathlib import Path
from typing import Final

from harness.contract import BuildContext, Launch, RunState, digest
from harness_slurm import queue
from harness_slurm.options import SlurmOptions
from harness_slurm.queue import SlurmError, SlurmJob
from harness_slurm.script import job_script

#: Below a run's folder: the job's script, and the exit code that a run which ended by itself left.
SCRIPT, END = "slurm.sh", "slurm-exit"
#: Looks at the queue and the accounts, after a job has left the queue, until one knows how it ended.
ACCOUNTS: Final = 8
#: What is said of a run whose job is gone without a word.
LOST: Final = "ended, and Slurm does not say how"

_NEXT: Final = {
    "TIMEOUT": "raise the launcher's option time, or go on with --resume",
    "OUT_OF_MEMORY": "raise the launcher's option memory",
    "NODE_FAIL": "its node failed; --resume goes on",
    "PREEMPTED": "it made room for others; --resume goes on",
    "CANCELLED": "somebody cancelled it; --resume goes on",
}


class SlurmLauncher:
    """Submits and follows jobs (protocol `Launcher`)."""

    def __init__(self, options: SlurmOptions | None, context: BuildContext) -> None:
        """Raises SlurmError if there are none of Slurm's commands."""
        queue.require()
        self.options = options or SlurmOptions()
        self.width = self.options.jobs
        self._names: list[str] = []
        self._queue: dict[str, SlurmJob] = {}
        #: When the queue was last asked, and when it last answered.
        self._asked, self._heard = float("-inf"), time.monotonic()
        #: How often it answered.
        self.looks = 0

    def start(self, launch: Launch) -> SlurmRun:
        """Submit a run's job; one that is in the queue is followed.

        Raises:
            SlurmError: there is no Slurm here, or it refuses the job.
        """
        if launch.finished:
            return SlurmRun(self, "", "", launch.run.folder, state=RunState("done before", 0))
        name = f"harness-{digest(str(launch.run.folder.resolve()))}"
        self._names.append(name)
        known = queue.queued([name]).get(name)
        self._heard = time.monotonic()
        if known is None:
            end = launch.run.folder.resolve() / END
            end.unlink(missing_ok=True)
            script = job_script(launch, self.options, name=name, folder=Path.cwd(), end=end)
            (launch.run.folder / SCRIPT).write_text(script)
            known = SlurmJob(queue.submit(script), "PENDING")
        self._queue[name] = known
        return SlurmRun(self, name, known.id, launch.run.folder)

    def job(self, name: str) -> SlurmJob | None:
        """A job in the queue, as of the last look; None if it has left.

        Raises:
            SlurmError: the queue has not answered for `patience_seconds`.
        """
        now = time.monotonic()
        if now - self._asked >= self.options.poll_seconds:
            self._asked = now
            try:
                self._queue = queue.queued(self._names)
            except SlurmError as error:
                if now - self._heard > self.options.patience_seconds:
                    raise SlurmError(
                        f"the queue has not answered for {now - self._heard:.0f} s: {error.what}",
                        where="launcher 'slurm'",
                        hint="the jobs go on; harness run --resume follows them",
                    ) from None
            else:
                self._heard = now
                self.looks += 1
        return self._queue.get(name)


class SlurmRun:
    """One job (protocol `LaunchedRun`)."""

    def __init__(
        self, by: SlurmLauncher, name: str, job: str, folder: Path, state: RunState | None = None
    ) -> None:
        self._by, self._name, self._job, self._folder = by, name, job, folder
        self._state = state or RunState(f"slurm job {job} is submitted")
        self._gone = 0
        self._looked = by.looks

    def poll(self) -> RunState:
        if self._state.code is not None:
            return self._state
        job = self._by.job(self._name)
        if self._by.looks == self._looked:
            return self._state
        self._looked = self._by.looks
        if job is not None:
            self._job, self._gone = job.id, 0
            why = f" ({job.reason})" if job.reason else ""
            self._state = RunState(f"slurm job {job.id} is {job.state}{why}")
        else:
            self._gone += 1
            self._state = self._end() or self._state
        return self._state

    def _end(self) -> RunState | None:
        """How a job that has left the queue ended, as soon as that is known."""
        left = self._exit_code()
        if left == 0:
            return RunState(f"slurm job {self._job} is COMPLETED", 0)
        job = queue.ended(self._job)
        if job is not None:
            told = f"slurm job {self._job} ended in {job.state}"
            if job.state == "FAILED":
                told += f" with exit code {left if left is not None else job.code}"
            hint = _NEXT.get(job.state)
            # A job may be cancelled with exit code 0, and its run is not done all the same.
            code = left or job.code or (0 if job.state == "COMPLETED" else 1)
            return RunState(f"{told}: {hint}" if hint else told, code)
        if left is not None:
            return RunState(f"slurm job {self._job} ended with exit code {left}", left)
        return RunState(f"slurm job {self._job} {LOST}", 1) if self._gone >= ACCOUNTS else None

    def _exit_code(self) -> int | None:
        with contextlib.suppress(OSError, ValueError):
            return int((self._folder / END).read_text())
        return None

    def leave(self, *, interrupted: bool) -> None:
        if not interrupted or self._by.options.on_interrupt == "leave":
            return
        try:
            queue.cancel(self._job)
        except SlurmError as error:
            print(f"slurm job {self._job} may still run: {error.what}", file=sys.stderr)
