"""The driver's handle on the fork server: start it, fork and kill workers, learn which have died."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from typing import Any, Final

from harness.contract.errors import PluginError
from harness.scoring import framing
from harness.scoring.fork_server import FORK, KILL, MESSAGE
from harness.scoring.spec import VerifierSpec

#: Seconds that importing and building the verifiers may take.
START_SECONDS: Final = 120.0

_START: Final = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[2]); "
    "from harness.scoring.fork_server import main; main(int(sys.argv[1]))"
)


class ForkClient:
    """A running fork server process. Not thread-safe: the pool's thread owns it.

    Raises:
        PluginError: a verifier could not be imported or built; carries the fork server's traceback.
    """

    def __init__(self, specs: Mapping[str, VerifierSpec], memory_mb: int) -> None:
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-c", _START, str(theirs.fileno()), json.dumps(sys.path)],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                # What a verifier prints must not mix with what the driver prints.
                stdout=2,
                # A terminal's interrupt goes to the driver, which then ends its workers.
                start_new_session=True,
                env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
            )
        self._frames = framing.Frames()
        self.control.settimeout(START_SECONDS)
        try:
            self.control.sendall(framing.frame(framing.dump({"specs": dict(specs), "memory_mb": memory_mb})))
            #: The verifiers' hashes, by name.
            self.hashes: dict[str, str] = self._ready()
        except BaseException:
            self.close()
            raise
        self.control.setblocking(False)

    def _ready(self) -> dict[str, str]:
        try:
            for payload in framing.receive(self.control):
                message = framing.load(payload)
                if message[0] == "ready":
                    hashes: dict[str, str] = message[1]
                    return hashes
                raise PluginError(f"a verifier could not be built: {message[1]}", hint=message[2])
        except (TimeoutError, OSError) as error:
            raise PluginError(f"the verifiers' process did not start: {error}") from error
        raise PluginError(
            f"the verifiers' process ended while importing them (status {self.process.wait(10)})"
        )

    def fork(self) -> socket.socket:
        """Ask for a worker; its process id follows as ("forked", pid), in the order of the requests."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        with theirs:
            socket.send_fds(self.control, [MESSAGE.pack(FORK, 0)], [theirs.fileno()])
        ours.setblocking(False)
        return ours

    def kill(self, pid: int) -> None:
        self.control.send(MESSAGE.pack(KILL, pid))

    def messages(self) -> Iterator[tuple[Any, ...]]:
        """What has arrived; raises EOFError if the fork server is gone."""
        try:
            data = self.control.recv(framing.CHUNK)
        except BlockingIOError:
            return
        except ConnectionResetError:
            data = b""
        if not data:
            raise EOFError
        for payload in self._frames.feed(data):
            yield framing.load(payload)

    def close(self) -> None:
        """End the fork server, and with it all workers."""
        self.control.close()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def cause(status: int) -> str:
    """A wait status in words."""
    code = os.waitstatus_to_exitcode(status)
    return f"killed by signal {-code}" if code < 0 else f"exit status {code}"
