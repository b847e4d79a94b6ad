"""Starting a study's runs: what each is started with, and the launcher `local`, as processes here."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Final

from harness.contract.errors import LedgerError
from harness.contract.launching import Launch, LaunchedRun, Launcher, RunState
from harness.planning.plan import Plan
from harness.running.parts import LEDGER_FILE

#: The launcher that needs no plugin.
LOCAL: Final = "local"
#: Makes a run's process end when its standard input closes, which is when its parent is gone.
ATTACHED: Final = "--attached"
#: How the last line of a finished run's ledger begins, and bytes in which it is looked for.
FINISHED: Final = b'{"t":"finished"'
TAIL: Final = 1 << 16


def launcher(plan: Plan) -> Launcher:
    """The recipe's launcher, which starts the runs of all its arms."""
    use = plan.file.recipe.launcher
    if use.name == LOCAL:
        return LocalLauncher()
    made: Launcher = plan.build("launchers", use, "launcher")
    return made


def is_finished(folder: Path) -> bool:
    """Whether a run's ledger ends by saying that it is done; a long one is not read for that."""
    try:
        with (folder / LEDGER_FILE).open("rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - TAIL))
            return any(line.startswith(FINISHED) for line in file.read().splitlines())
    except FileNotFoundError:
        return False


class LocalLauncher:
    """Runs are processes of this machine, which end with this one (protocol `Launcher`)."""

    width: int | None = os.cpu_count() or 1

    def start(self, launch: Launch) -> LaunchedRun:
        """Raises LedgerError if the run's folder cannot be written to."""
        try:
            log = launch.log.open("ab")
        except OSError as error:
            raise LedgerError(f"cannot be written: {error.strerror}", where=str(launch.log)) from error
        with log:
            return LocalRun(
                subprocess.Popen(
                    [*launch.command, ATTACHED], stdin=subprocess.PIPE, stdout=log, stderr=subprocess.STDOUT
                )
            )


class LocalRun:
    """One process (protocol `LaunchedRun`)."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def poll(self) -> RunState:
        return RunState(code=self._process.poll())

    def leave(self, *, interrupted: bool) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
