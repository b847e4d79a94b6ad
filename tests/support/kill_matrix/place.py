"""A folder for a kill matrix, the processes that belong to it, and what is left of them."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from harness_sandbox import owner

from tests.support.sandbox_hosts import TOKEN, VARIABLE

#: The variable of the environment that a matrix's processes are known by.
MARK: Final = "HARNESS_KILL_MATRIX"
#: Most seconds that anything may take that is waited for.
PATIENCE: Final = 600.0
#: Problems of each benchmark.
PROBLEMS: Final = 12


class BrokenPromise(AssertionError):
    """Something ended otherwise than the unbroken one, or was left behind."""


def until(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise BrokenPromise(f"not within {PATIENCE:g} s: {what}")
        time.sleep(0.005)


class Place:
    """A folder in which all of it happens, and the processes that belong to it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.token = folder, secrets.token_hex(8)
        self.tmp, self.cache, self.log = folder / "tmp", folder / "cache", folder / "log.txt"
        self.runs = folder / "runs"
        for path in (self.tmp, self.cache):
            path.mkdir(parents=True)
        self._mark = f"{MARK}={self.token}".encode()
        self.environment = {
            **os.environ, MARK: self.token, "TMPDIR": str(self.tmp), "HARNESS_CACHE": str(self.cache),
            "OMP_NUM_THREADS": "1", VARIABLE: TOKEN,
        }  # fmt: skip

    def start(
        self, command: Sequence[str], *, stdout: int | None = None, cwd: Path | None = None
    ) -> subprocess.Popen[str]:
        with self.log.open("ab") as log:
            return subprocess.Popen(
                command, cwd=cwd or self.folder, env=self.environment, stdin=subprocess.DEVNULL,
                stdout=log if stdout is None else stdout, stderr=log, text=True, bufsize=1,
            )  # fmt: skip

    def harness(self, *words: str) -> subprocess.Popen[str]:
        return self.start([sys.executable, "-m", "harness", *words])

    def finish(self, process: subprocess.Popen[str], what: str) -> None:
        if process.wait(PATIENCE):
            raise BrokenPromise(f"{what} ended with {process.returncode}: {self.tail()}")

    def tail(self) -> str:
        return self.log.read_text(errors="replace")[-3000:]

    def processes(self, *words: str) -> list[int]:
        """Those with the mark whose command line holds these words one after the other; zombies are none."""
        return [pid for pid in self._all() if _within(words, words_of(pid))]

    def kill(self, pid: int) -> bool:
        """SIGKILL, if the process is still there and ours."""
        try:
            handle = os.pidfd_open(pid)
        except ProcessLookupError:
            return False
        try:
            if not self._marked(pid):
                return False
            signal.pidfd_send_signal(handle, signal.SIGKILL)
        except ProcessLookupError:
            return False
        finally:
            os.close(handle)
        until(lambda: not self._marked(pid), f"process {pid} is gone")
        return True

    def _all(self) -> Iterator[int]:
        return (pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if self._marked(pid))

    def _marked(self, pid: int) -> bool:
        try:
            return self._mark in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            return False


def words_of(pid: int) -> list[str]:
    """The command line of a process; empty if it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")[:-1]
    except (FileNotFoundError, ProcessLookupError):
        return []


def _within(words: Sequence[str], line: Sequence[str]) -> bool:
    return any(tuple(line[i : i + len(words)]) == tuple(words) for i in range(len(line)))


def names(folder: Path) -> list[str]:
    """The files below a folder, without the folder's own name, and without what views keep."""
    kept = ("samples.sqlite", "samples.sqlite-wal", "samples.sqlite-shm")
    files = (path for path in folder.rglob("*") if path.name not in kept and path.is_file())
    return sorted(str(path.relative_to(folder)) for path in files)


def traces() -> set[str]:
    """Control groups whose owner is gone, and segments of shared memory that nobody has mapped."""
    seen = {str(path) for path in Path("/dev/shm").iterdir() if not _mapped(path)}
    for pattern in ("", "*/"):
        for path in Path("/sys/fs/cgroup").glob(f"{pattern}staged-harness-*"):
            if owner.dead(path.name.removeprefix("staged-harness-").rpartition(".")[0]):
                seen.add(str(path))
    return seen


def _mapped(segment: Path) -> bool:
    """Whether a process has it mapped."""
    for maps in Path("/proc").glob("[0-9]*/maps"):
        with suppress(FileNotFoundError, ProcessLookupError, PermissionError):
            if str(segment) in maps.read_text(errors="replace"):
                return True
    return False
