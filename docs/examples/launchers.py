"""Starts a study's runs as processes of this machine with a low priority."""

import subprocess

from harness import hookimpl
from harness.contract import BuildContext, Launch, LaunchedRun, RunState
from harness.plugging import Register


@hookimpl
def register_launchers(register: Register) -> None:
    register("nice", f"{__name__}:NiceLauncher", summary="processes here, with a low priority")


class NiceLauncher:
    #: Runs side by side; None leaves the number to whoever starts the study.
    width: int | None = 1

    def __init__(self, options: None, context: BuildContext) -> None: ...

    def start(self, launch: Launch) -> LaunchedRun:
        with launch.log.open("ab") as log:
            return NiceRun(subprocess.Popen(["nice", *launch.command], stdout=log, stderr=subprocess.STDOUT))


class NiceRun:
    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def poll(self) -> RunState:
        return RunState(code=self._process.poll())

    def leave(self, *, interrupted: bool) -> None:
        """Nobody follows the run any more: it ends, too."""
        if self._process.poll() is None:
            self._process.terminate()
            self._process.wait()
