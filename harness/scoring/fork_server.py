"""The process that workers are forked from.

It is spawned clean (no threads, nothing of the driver's memory), imports what the verifiers need,
builds them, and then forks a worker whenever the driver asks: a killed worker is replaced in
milliseconds although its libraries take a second to import. It alone kills and reaps workers, so
no process id is ever signalled after it may have been reused. When the driver ends, so do all
of its workers.

Control messages are nine bytes, an operation and a number: F (fork, with the worker's socket
attached), K (kill a process). Answers are frames: ("ready", hashes), ("failed", trace),
("forked", pid) in the order of the requests, ("dead", pid, wait status).
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import os
import select
import signal
import socket
import struct
import sys
import traceback
from typing import Any, Final

from harness.scoring import framing, worker
from harness.scoring.spec import build, hash_of

MESSAGE: Final = struct.Struct("!cq")
FORK: Final = b"F"
KILL: Final = b"K"
#: Linux: the signal a process gets when its parent dies.
_PR_SET_PDEATHSIG: Final = 1


def main(control_fd: int) -> None:
    """Serve until the driver closes the control socket."""
    control = socket.socket(fileno=control_fd)
    setup = _setup(control)
    try:
        for name in sorted({module for spec in setup["specs"].values() for module in spec.preload}):
            importlib.import_module(name)
        verifiers = {name: build(spec, setup["specs"]) for name, spec in setup["specs"].items()}
    except (Exception, SystemExit) as error:  # noqa: BLE001 - the driver raises it where the user sees it
        _tell(control, ("failed", str(error) or type(error).__name__, traceback.format_exc()))
        return
    _tell(control, ("ready", {name: hash_of(verifier) for name, verifier in verifiers.items()}))
    _ForkServer(control, verifiers, setup["memory_mb"]).run()


def _setup(control: socket.socket) -> Any:
    """The first frame; nothing else comes before we are ready."""
    return framing.load(next(framing.receive(control)))


def _tell(control: socket.socket, message: tuple[Any, ...]) -> None:
    control.sendall(framing.frame(framing.dump(message)))


class _ForkServer:
    def __init__(self, control: socket.socket, verifiers: dict[str, Any], memory_mb: int) -> None:
        self.control, self.verifiers, self.memory_mb = control, verifiers, memory_mb
        self.children: set[int] = set()
        self.wake_in, self.wake_out = socket.socketpair()
        self.wake_in.setblocking(False)
        self.wake_out.setblocking(False)

    def run(self) -> None:
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self.wake_out.fileno(), warn_on_full_buffer=False)
        try:
            while self._serve_once():
                pass
        except (BrokenPipeError, ConnectionResetError):
            pass  # the driver is gone: nothing to report to, only workers to end
        finally:
            # Children that die now would be written of to a socket that is already closed.
            signal.set_wakeup_fd(-1)
            for pid in self.children:
                os.kill(pid, signal.SIGKILL)

    def _serve_once(self) -> bool:
        ready, _, _ = select.select([self.control, self.wake_in], [], [])
        if self.wake_in in ready:
            with contextlib.suppress(BlockingIOError):
                self.wake_in.recv(4096)
            self._reap()
        if self.control not in ready:
            return True
        data, fds, _, _ = socket.recv_fds(self.control, MESSAGE.size, 1)
        if not data:
            return False
        while len(data) < MESSAGE.size:
            data += self.control.recv(MESSAGE.size - len(data))
        operation, number = MESSAGE.unpack(data)
        if operation == FORK:
            self._fork(fds[0])
        elif operation == KILL and number in self.children:
            os.kill(number, signal.SIGKILL)
        return True

    def _fork(self, fd: int) -> None:
        pid = os.fork()
        if pid == 0:
            self._become_worker(fd)
        os.close(fd)
        self.children.add(pid)
        _tell(self.control, ("forked", pid))

    def _become_worker(self, fd: int) -> None:
        status = 1
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            _die_with_parent()
            for inherited in (self.control, self.wake_in, self.wake_out):
                inherited.close()
            worker.main(socket.socket(fileno=fd), self.verifiers, self.memory_mb)
            status = 0
        except BaseException:  # noqa: BLE001 - the exit status says it, the trace goes to stderr
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(status)

    def _reap(self) -> None:
        while self.children:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            self.children.discard(pid)
            _tell(self.control, ("dead", pid, status))


def _die_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
