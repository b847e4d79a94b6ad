"""A server that is a child process of ours, spoken to over a socket pair."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence

from harness_sandbox.channel import SocketChannel, StartError


class SpawnedChannel(SocketChannel):
    """Descriptors 0 and 1 of the child are one end of the pair; its stderr goes to a file."""

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        *,
        pass_fds: Sequence[int] = (),
        cleanup: Callable[[], None] = lambda: None,
    ) -> None:
        ours, theirs = socket.socketpair()
        self._cleanup = cleanup
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 - closed by kill
        try:
            self._process = subprocess.Popen(
                command,
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                stderr=self._stderr,
                env=dict(environment),
                pass_fds=pass_fds,
                start_new_session=True,
            )
        except OSError as error:
            ours.close()
            self._stderr.close()
            cleanup()
            raise StartError(f"cannot start {command[0]}: {error}") from error
        finally:
            theirs.close()
        super().__init__(ours)

    def kill(self) -> None:
        self._sock.close()
        # A session of its own: what a server without a pid namespace started is in its group.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._stderr.close()
        self._cleanup()

    def last_words(self) -> str:
        self._stderr.seek(0)
        return self._stderr.read()[-2000:].decode(errors="replace").strip()
