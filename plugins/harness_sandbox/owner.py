"""Who made a thing that outlives processes: a container, a cgroup.

An owner is this boot of this machine, a pid namespace, a process id in it and that process's start time:
a number that was given out again is not mistaken for a run that is still alive, nor is a run in another
container for one that is gone.
"""

from __future__ import annotations

import os
from pathlib import Path


def _place() -> str:
    """This boot and this pid namespace: where process ids mean what they mean to us."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()[:13]
    return f"{boot}-{os.stat('/proc/self/ns/pid').st_ino}"


def _started(pid: int) -> str | None:
    try:
        # The name, in parentheses, may hold anything; the start time is the 20th field after it.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (FileNotFoundError, ProcessLookupError):
        return None


def mine() -> str:
    """This process as an owner, without characters that a file name could not have."""
    return f"{_place()}.{os.getpid()}.{_started(os.getpid())}"


def dead(owner: str) -> bool:
    """Whether the owner is a process of this machine that is gone; False where that cannot be known."""
    place, _, rest = owner.partition(".")
    pid, _, started = rest.partition(".")
    if not pid.isdecimal():
        return False
    # Another place is another machine or container, whose processes are not ours to judge, or this one
    # before it was restarted, after which nothing of that time runs.
    return place == _place() and _started(int(pid)) != started
