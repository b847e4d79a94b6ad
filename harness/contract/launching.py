"""What a launcher must offer: it starts the runs of a study, as processes here or as jobs elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from harness.contract.protocols import RunInfo


@dataclass(frozen=True, slots=True)
class Launch:
    """One run of a study that is to be started."""

    #: Its folder is there; a launcher may keep what it must remember in files of its own name.
    run: RunInfo
    #: What to execute, in the current folder. It takes up the run where its ledger ends. With a further
    #: argument `--attached` it ends when its standard input closes, so with the process that started it.
    command: Sequence[str]
    #: The file to which all that it prints is appended.
    log: Path
    #: Whether the ledger says that the run is done.
    finished: bool


@dataclass(frozen=True, slots=True)
class RunState:
    """Where a launched run stands."""

    #: One line for people, such as `slurm job 17 is PENDING (Resources)`; may be empty.
    about: str = ""
    #: Exit code of a run that has ended, 0 if it went well; None before.
    code: int | None = None


class LaunchedRun(Protocol):
    """A run that a launcher has started, and follows."""

    def poll(self) -> RunState:
        """Where it stands now; called a few times per second."""
        ...

    def leave(self, *, interrupted: bool) -> None:
        """The study ends before the run has: it was interrupted, or something else went wrong. A run that
        cannot go on alone is ended; one that can is ended only if somebody interrupted the study."""
        ...


class Launcher(Protocol):
    """Starts runs, here or elsewhere. Its runs may outlive it: `start` follows one that still runs."""

    #: Most runs at a time unless `--jobs` says it; None for all of them.
    width: int | None

    def start(self, launch: Launch) -> LaunchedRun:
        """Start a run, or follow it if an earlier launcher's still runs.

        Raises:
            HarnessError: it cannot be started.
        """
        ...
