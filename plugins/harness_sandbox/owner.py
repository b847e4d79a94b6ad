"""Who made a thing that outlives processes: a container, a cgroup.

An owner is this boot of this machine, a pid namespace, a process id in it and that process's start time:
so a process id that is used again is not mistaken for a run that is still alive, nor a run in another
container for one that is gone.
"""

from __future__ import annotations

import os
from pathlib import Path

from harness.support import process


def _place() -> str:
    """This boot and this pid namespace: where process ids mean what they mean to us."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()[:13]
    return f"{boot}-{os.stat('/proc/self/ns/pid').st_ino}"


def _started(pid: int) -> str | None:
    running = process(pid)
    return None if running is None else str(running.started)


def mine() -> str:
    """This process as an owner, without characters that a file name could not have."""
    return f"{_place()}.{os.getpid()}.{_started(os.getpid())}"


def dead(owner: str) -> bool:
    """Whether the owner is a process of this machine that is gone; False if that cannot be known."""
    place, _, rest = owner.partition(".")
    pid, _, started = rest.partition(".")
    if not pid.isdecimal():
        return False
    # Another place is another machine or container, whose processes are not ours to judge, or this one
    # before it was restarted, after which nothing of that time runs.
    return place == _place() and _started(int(pid)) != started
