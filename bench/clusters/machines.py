"""The processes of a cluster: nodes with servers, sandbox hosts. Each can be killed and started again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from clusters.latency import Latency
from clusters.network import Member, Spot
from harness.support import process

HERE: Final = Path(__file__).resolve().parent
TOKEN: Final = "a-token-of-the-bench-0123456789"
VARIABLE: Final = "HARNESS_SANDBOX_TOKEN"
#: Most seconds that a machine takes to end.
PATIENCE: Final = 60.0


class Machine(Member):
    """A process at a spot that serves as soon as it has printed its first line."""

    def __init__(self, spot: Spot, command: Sequence[str], log: Path, environment: Mapping[str, str]) -> None:
        super().__init__(spot)
        self._command, self._log, self._environment = [*spot.enter, *command], log, environment
        self._process: subprocess.Popen[str] | None = None
        #: CPU seconds of processes that have ended.
        self._spent = 0.0

    def start(self) -> None:
        """Returns at once; `ready` waits."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, env={**os.environ, **self._environment}, stdin=subprocess.PIPE,
                stdout=subprocess.PIPE, stderr=log, text=True, bufsize=1,
            )  # fmt: skip
        # `nsenter` becomes the command.
        self.pid = self._process.pid

    def ready(self) -> None:
        """Raises RuntimeError if it ended instead."""
        assert self._process is not None
        assert self._process.stdout is not None
        if " at http" not in (line := self._process.stdout.readline()):
            raise RuntimeError(f"{self.spot.name} does not serve: {line}{self._log.read_text()[-2000:]}")

    def tell(self, **behaviour: float) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(behaviour) + "\n")

    @property
    def cpu_seconds(self) -> float:
        """Of all its processes so far, children that have ended included."""
        known = process(self.pid) if self.pid is not None else None
        return self._spent + (known.cpu_seconds + known.children_cpu_seconds if known else 0.0)

    def kill(self) -> None:
        self.end(signal.SIGKILL)

    def end(self, how: signal.Signals = signal.SIGTERM) -> None:
        if self._process is None:
            return
        self._spent, self.pid = self.cpu_seconds, None
        self._process.send_signal(signal.SIGCONT)
        self._process.send_signal(how)
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()
        self._process = None


class Node(Machine):
    """Servers of one process."""

    def __init__(self, spot: Spot, ports: Sequence[int], latency: Latency, folder: Path) -> None:
        self.urls = [f"http://{spot.address}:{port}/v1" for port in ports]
        self.log = folder / f"{spot.name}.txt"
        self.log.touch()
        told: dict[str, Any] = {
            "host": spot.address, "ports": list(ports), "latency": asdict(latency), "log": str(self.log),
        }  # fmt: skip
        command = [sys.executable, str(HERE / "servers.py"), json.dumps(told)]
        super().__init__(spot, command, folder / f"{spot.name}.log", {})


class Host(Machine):
    """A sandbox host: `harness sandbox serve`."""

    def __init__(self, spot: Spot, port: int, kind: str, folder: Path) -> None:
        self.url = f"http://{spot.address}:{port}"
        words = [
            "sandbox", "serve", "--kind", kind, "--slots", "1", "--memory-mb", "512",
            "--host", spot.address, "--port", str(port),
        ]  # fmt: skip
        command = [sys.executable, "-m", "harness", *words]
        super().__init__(spot, command, folder / f"{spot.name}.log", {VARIABLE: TOKEN})
