"""What a program must not reach on the host, set up so that reaching it shows.

A secret in our environment and in world-readable files, one of them an answer key; listeners on the
loopback interface and on an abstract socket; and a count of processes with a job's uid.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from harness_sandbox.servers import FIRST_UID, UIDS

#: Where programs of the corpus look for a listener.
PORT: Final = 48123
NAME: Final = "\0canary48123"
_VARIABLE: Final = "HARNESS_CANARY_KEY"


class Canary:
    """The host's bait, for the length of a `with` block; one at a time on a machine."""

    def __init__(self) -> None:
        self.secret = f"CANARY-{secrets.token_hex(8)}"
        self.hits = 0
        self._password = secrets.token_bytes(16)
        self._fences: list[Callable[[], None]] = []
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        with self._stack:
            lock = self._stack.enter_context((Path(tempfile.gettempdir()) / "harness-canary.lock").open("w"))
            fcntl.flock(lock, fcntl.LOCK_EX)
            folder = Path(tempfile.mkdtemp(prefix="harness-canary-"))
            self._stack.callback(shutil.rmtree, folder)
            folder.chmod(0o755)
            (folder / "secret").write_text(self.secret)
            key = {f"{a} {b}": a + b for a, b in ((3, 4), (10, -2), (100, 200))}
            (folder / "expected.json").write_text(json.dumps(key))
            os.environ[_VARIABLE] = self.secret
            self._stack.callback(os.environ.pop, _VARIABLE, None)
            for family, address in ((socket.AF_INET, ("127.0.0.1", PORT)), (socket.AF_UNIX, NAME)):
                self._listen(family, address)
            self._stack = self._stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def faults(self, sandbox: object) -> list[str]:
        """What shows that a program got out, looked at between jobs of this sandbox."""
        faults = []
        for fence in self._fences:
            fence()
        if self.hits:
            faults.append(f"{self.hits} connections reached the host")
            self.hits = 0
        alive = survivors(uid_ranges(sandbox))
        if alive:
            faults.append(f"{len(alive)} of its processes live: {alive[:5]}")
        return faults

    def _listen(self, family: int, address: Any) -> None:
        listener = self._stack.enter_context(socket.socket(family))
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(16)
        passed = threading.Event()

        def accept() -> None:
            while True:
                try:
                    peer, _ = listener.accept()
                except OSError:  # closed: the block is over
                    return
                with peer:
                    peer.settimeout(0.2)
                    with contextlib.suppress(OSError):
                        if peer.recv(64) == self._password:
                            passed.set()
                            continue
                self.hits += 1

        def fence() -> None:
            """Return when every connection that was made before is counted: they are taken in order."""
            passed.clear()
            with socket.socket(family) as ours:
                ours.connect(address)
                ours.sendall(self._password)
                if not passed.wait(10):
                    raise RuntimeError("the canary's listener does not listen")

        self._fences.append(fence)
        threading.Thread(target=accept, name="canary", daemon=True).start()
        # A blocked accept is woken by a shutdown alone.
        self._stack.callback(listener.shutdown, socket.SHUT_RDWR)


def uid_ranges(sandbox: object) -> list[range]:
    """Uids of a pool's jobs; empty if they have none of their own."""
    launcher = getattr(sandbox, "launcher", None)
    return [range(base, base + UIDS) for base in getattr(launcher, "uid_bases", ())]


def survivors(ranges: list[range], patience: float = 1.0) -> list[int]:
    """Processes of this host with these uids that are still there after `patience` seconds: a container
    that was just told to go takes a moment to be gone."""
    deadline = time.monotonic() + patience
    while True:
        alive = [pid for pid, uid in _processes() if uid >= FIRST_UID and any(uid in r for r in ranges)]
        if not alive or time.monotonic() > deadline:
            return alive
        time.sleep(0.02)


def _processes() -> list[tuple[int, int]]:
    processes = []
    for entry in os.scandir("/proc"):
        if entry.name.isdecimal():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                processes.append((int(entry.name), entry.stat().st_uid))
    return processes
