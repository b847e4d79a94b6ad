"""Runs a command and leaves nothing of it behind, whatever ends it.

    python keeper.py FOLDER COMMAND...

A Ray job is dozens of processes in sessions of their own. This process adopts all of them (it is a
subreaper, Linux only), and ends every one, with the shared memory they hold, when the command ends, when
its own standard input closes (its parent is gone) or when it is told to (SIGTERM). If the parent is gone
it removes FOLDER, too, because no other process will.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36
#: vLLM and verl name segments so; a process that is killed, and some that are not, leave theirs.
SEGMENT = re.compile(r"/dev/shm/psm_\w+")
LOOK = 10.0
#: Exit code when the parent is gone.
GONE = 130


def descendants(root: int) -> set[int]:
    """All processes below one."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, KeyError):
            parent = int(_status(int(entry.name))["PPid"])
            parents.setdefault(parent, []).append(int(entry.name))
    below: set[int] = set()
    waiting = [root]
    while waiting:
        for child in parents.get(waiting.pop(), ()):
            below.add(child)
            waiting.append(child)
    return below


def family(token: str, folder: Path) -> set[int]:
    """All processes of a job, whoever their parent is now: those with its token in their environment or
    its folder as theirs, and what is below them. Zombies are none."""
    members: set[int] = set()
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            its = token.encode() in (entry / "environ").read_bytes()
            if its or Path(os.readlink(entry / "cwd")).is_relative_to(folder):
                members.add(int(entry.name))
    below = {child for process in members for child in descendants(process)}
    return {process for process in members | below if _runs(process)} - {os.getpid()}


def sweep(token: str, folder: Path, seconds: float) -> None:
    """End a job that has no keeper any more, with the shared memory that it holds; at most so long."""
    end = time.monotonic() + seconds
    while (living := family(token, folder)) and time.monotonic() < end:
        held = segments(living)
        for process in living:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(process, signal.SIGKILL)
        for segment in held:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(segment)
        time.sleep(0.05)


def _runs(process: int) -> bool:
    with contextlib.suppress(OSError):
        return _status(process)["State"][0] not in "ZX"
    return False


def _status(process: int) -> dict[str, str]:
    """What Linux says of a process, by name (/proc/<pid>/status). This file runs without the harness."""
    lines = Path(f"/proc/{process}/status").read_text(errors="replace").splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def segments(processes: set[int]) -> set[str]:
    """Shared memory that processes hold now."""
    held: set[str] = set()
    for process in processes:
        with contextlib.suppress(OSError):
            held.update(SEGMENT.findall(Path(f"/proc/{process}/maps").read_text()))
    return held


class Keeper:
    """One command and what became of it."""

    def __init__(self, folder: str, command: list[str]) -> None:
        if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")
        self._folder = folder
        self._held: set[str] = set()
        #: Entered again by the signal handler, which may interrupt its owner.
        self._lock = threading.RLock()
        self._command = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        signal.signal(signal.SIGTERM, lambda *_: self.end(143))
        threading.Thread(target=self._watch_parent, daemon=True).start()
        threading.Thread(target=self._watch_memory, daemon=True).start()

    def wait(self) -> None:
        """Until the command has ended, and all that it started."""
        code = self._command.wait()
        self.end(code if code >= 0 else 128 - code)

    def end(self, code: int) -> None:
        """End everything and exit."""
        with self._lock:
            while living := descendants(os.getpid()):
                self._held |= segments(living)
                for process in living:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(process, signal.SIGKILL)
                with contextlib.suppress(ChildProcessError):
                    while os.waitpid(-1, os.WNOHANG)[0]:
                        pass
                time.sleep(0.02)
            for segment in self._held:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(segment)
            if code == GONE:
                shutil.rmtree(self._folder, ignore_errors=True)
            os._exit(code)

    def _watch_parent(self) -> None:
        while os.read(0, 1024):
            pass
        self.end(GONE)

    def _watch_memory(self) -> None:
        while True:
            time.sleep(LOOK)
            self._held |= segments(descendants(os.getpid()))


if __name__ == "__main__":
    Keeper(sys.argv[1], sys.argv[2:]).wait()
