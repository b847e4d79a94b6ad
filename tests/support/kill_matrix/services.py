"""What serves beside an evaluation, and what is killed and simply started again."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tests.support.kill_matrix.place import PATIENCE, PROBLEMS, BrokenPromise, Place
from tests.support.places import ROOT
from tests.support.sandbox_hosts import command as serve
from tests.support.sandboxes import contained

#: What the model says: a program, which may be right, and a number, which may be right.
ANSWERS: Final = [
    f"```python\na, b = map(int, input().split())\nprint(a {sign} b)\n```\nIt is \\boxed{{{number}}}."
    for sign in ("+", "-", "*")
    for number in range(PROBLEMS)
]


class Service:
    """A process that serves at a port, and is started again at the same one."""

    def __init__(self, place: Place, command: Callable[[int], list[str]], cwd: Path | None = None) -> None:
        self._place, self._command, self._cwd = place, command, cwd
        self._process: subprocess.Popen[str] | None = None
        #: What it said first when it was started last; empty while it is down.
        self.said = ""
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    def start(self) -> None:
        """Start it, at the same port as before; returns when it serves."""
        self._reap()
        self.said = ""
        self._process = self._place.start(self._command(self.port), stdout=subprocess.PIPE, cwd=self._cwd)
        assert self._process.stdout is not None
        self.said = self._process.stdout.readline()
        if "http" not in self.said:
            raise BrokenPromise(f"a service does not start again: {self._place.tail()}")

    def kill(self) -> None:
        """SIGKILL, and start it again."""
        self.said = ""
        if self.pid is None or not self._place.kill(self.pid):
            raise BrokenPromise(f"a service ended of itself: {self._place.tail()}")
        self.start()

    def stop(self, how: int = signal.SIGTERM) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._reap()

    def _reap(self) -> None:
        if self._process is not None:
            self._process.wait(PATIENCE)
            assert self._process.stdout is not None
            self._process.stdout.close()
            self._process = None


def model_server(place: Place) -> Service:
    def command(port: int) -> list[str]:
        script = {"port": port, "texts": ANSWERS, "seconds": 0.02}
        return [sys.executable, "-m", "tests.support.openai_server", json.dumps(script)]

    return Service(place, command, cwd=ROOT)


def sandbox_host(place: Place) -> Service:
    options = ["--kind", contained(), "--slots", "1", "--memory-mb", "512"]
    return Service(place, lambda port: serve(*options, "--port", str(port)))
