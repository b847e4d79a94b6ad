"""Memory and process limits of a slot without Docker: control groups, version 1 or 2.

A slot's server starts inside its groups and every job inherits them, so that joining costs nothing per
job. Groups are named by their owner: those of runs that are gone are removed at the next start.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import time
from pathlib import Path
from typing import Final

from harness_sandbox import owner

ROOT: Final = Path("/sys/fs/cgroup")
_PREFIX: Final = "staged-harness-"
_numbers: Final = itertools.count()


def unavailable() -> str:
    """Why groups cannot be made here; empty if they can."""
    missing = [str(path) for path in _parents() if not os.access(path, os.W_OK)]
    if not _parents():
        return "no memory and pids control groups are mounted"
    return f"{', '.join(missing)} cannot be written to" if missing else ""


class Group:
    """The control groups of one server."""

    def __init__(self, memory_mb: int, pids: int) -> None:
        name = f"{_PREFIX}{owner.mine()}.{next(_numbers)}"
        self.paths = [parent / name for parent in _parents()]
        memory = str(memory_mb << 20)
        for path in self.paths:
            path.mkdir()
            for file, value in (
                ("memory.limit_in_bytes", memory),
                ("memory.memsw.limit_in_bytes", memory),
                ("memory.max", memory),
                ("memory.swap.max", "0"),
                ("pids.max", str(pids)),
            ):
                if (path / file).exists():
                    (path / file).write_text(value)

    @property
    def memory(self) -> Path:
        """The folder that counts this slot's out-of-memory kills."""
        return next(path for path in self.paths if _counts_memory(path))

    def remove(self) -> None:
        """Kill what is left in the groups and remove them."""
        for path in self.paths:
            _remove(path)


def sweep() -> int:
    """Remove groups whose owner is gone; how many."""
    stale = [
        path
        for parent in _parents()
        for path in parent.glob(f"{_PREFIX}*")
        if owner.dead(path.name.removeprefix(_PREFIX).rpartition(".")[0])
    ]
    for path in stale:
        _remove(path)
    return len(stale)


def _parents() -> list[Path]:
    if (ROOT / "cgroup.controllers").exists():
        enabled = (ROOT / "cgroup.subtree_control").read_text().split()
        return [ROOT] if {"memory", "pids"} <= set(enabled) else []
    both = [ROOT / "memory", ROOT / "pids"]
    return both if all(path.is_dir() for path in both) else []


def _counts_memory(path: Path) -> bool:
    return (path / "memory.events").exists() or (path / "memory.oom_control").exists()


def _remove(path: Path) -> None:
    deadline = time.monotonic() + 5.0
    while path.exists():
        with contextlib.suppress(FileNotFoundError):
            for pid in (path / "cgroup.procs").read_text().split():
                # 0 is a process of another pid namespace, and to `kill` our own process group.
                if int(pid) > 0:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(int(pid), signal.SIGKILL)
        try:
            path.rmdir()
        except FileNotFoundError:
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.005)
