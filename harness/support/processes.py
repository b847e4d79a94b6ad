"""What Linux says of this machine's processes and of its processor."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Process:
    """A process as /proc/<pid>/stat has it (proc_pid_stat(5))."""

    name: str
    #: One letter: `R` runs, `S` sleeps, `Z` is a zombie, ...
    state: str
    parent: int
    #: CPU seconds of its own, and of the children that it has waited for.
    cpu_seconds: float
    children_cpu_seconds: float
    #: When it started, in clock ticks since the machine's start: with its id, who it is.
    started: int

    @property
    def runs(self) -> bool:
        """Whether it is neither dead nor a zombie."""
        return self.state not in "ZX"


def process(pid: int) -> Process | None:
    """The process of this id; None if there is none (any more).

    Raises:
        PermissionError: it is somebody else's, on a machine that hides those.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The name, in parentheses, may hold anything.
    head, _, rest = stat.rpartition(")")
    fields, ticks = rest.split(), os.sysconf("SC_CLK_TCK")
    own, children = (sum(map(int, fields[first : first + 2])) / ticks for first in (11, 13))
    return Process(head.partition("(")[2], fields[0], int(fields[1]), own, children, int(fields[19]))


def starved_seconds(pid: int) -> float:
    """Seconds so far in which a process's main thread could have run and no core was free (second field of
    /proc/<pid>/schedstat); 0 if there is no such process, or if the system does not count them."""
    try:
        fields = Path(f"/proc/{pid}/schedstat").read_text().split()
    except OSError:
        return 0.0
    return int(fields[1]) / 1e9


def processor() -> str:
    """The processor's name, or its kind if the system does not say more."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, "") or platform.processor() or platform.machine()
