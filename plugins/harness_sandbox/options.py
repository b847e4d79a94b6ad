"""Options that all sandbox kinds share."""

from __future__ import annotations

import os
from typing import Annotated, Literal

from pydantic import Field

from harness.recipe import Model


class PoolOptions(Model):
    """How many programs run at a time, their limits, and how long a server process is used."""

    language: Literal["python", "cpp"] = "python"
    """Language of the programs. A sandbox for `cpp` runs `python` too."""
    slots: Annotated[int, Field(ge=0)] = 0
    """Jobs that run at a time. More than one per core only adds latency. 0 means one per core of this
    host."""
    queue: Annotated[int, Field(ge=1)] = 1024
    """Jobs that may wait. While the queue is full, further jobs wait to enter it."""
    memory_mb: Annotated[int, Field(ge=64)] = 1024
    """Most memory, in MiB, that a job may ask for. A job that asks for more is refused."""
    tmp_mb: Annotated[int, Field(ge=1)] = 64
    """Space for files in /tmp, in MiB. It counts as memory."""
    recycle_after: Annotated[int, Field(ge=1)] = 2000
    """Jobs after which a server process is replaced by a new one."""
    probe_idle: float = 30.0
    """Seconds without a job after which a server is tested before it gets its next job."""
    attempts: Annotated[int, Field(ge=1)] = 2
    """How many times a job whose sandbox failed is tried. After that it is an `infra_error`."""
    recovery_seconds: float = 60.0
    """Seconds for which servers may fail to start. After that the jobs that wait for one are
    `infra_error`."""

    @property
    def width(self) -> int:
        return self.slots or len(os.sched_getaffinity(0))
