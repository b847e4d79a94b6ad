"""Who made a thing that outlives processes: a container, a cgroup.

An owner is this boot of this machine, a process id and that process's start time, so that a number
that was given out again is not mistaken for a run that is still alive.
"""

from __future__ import annotations

import os
from pathlib import Path


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()[:13]


def _started(pid: int) -> str | None:
    try:
        # The name, in parentheses, may hold anything; the start time is the 20th field after it.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (FileNotFoundError, ProcessLookupError):
        return None


def mine() -> str:
    """This process as an owner, without characters that a file name could not have."""
    return f"{_boot()}.{os.getpid()}.{_started(os.getpid())}"


def dead(owner: str) -> bool:
    """Whether the owner is a process of this machine that is gone; False where that cannot be known."""
    boot, _, rest = owner.partition(".")
    pid, _, started = rest.partition(".")
    if not pid.isdecimal():
        return False
    # Another boot id is another machine, whose processes are not ours to judge, or this one before
    # it was restarted, after which nothing of that time runs.
    return boot == _boot() and _started(int(pid)) != started
