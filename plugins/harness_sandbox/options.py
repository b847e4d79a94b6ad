"""Options that all sandbox kinds share."""

from __future__ import annotations

import os
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


class PoolOptions(BaseModel):
    """How many jobs run side by side, and how long a server is kept."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    #: What programs are written in; a sandbox for `cpp` runs `python`, too.
    language: Literal["python", "cpp"] = "python"
    #: Jobs at a time; one a core is enough, more only add latency. 0: as many as this host has cores.
    slots: Annotated[int, Field(ge=0)] = 0
    #: Requests that may wait; `run` waits for room when it is full.
    queue: Annotated[int, Field(ge=1)] = 1024
    #: Largest `memory_mb` that a job may ask for.
    memory_mb: Annotated[int, Field(ge=64)] = 1024
    #: Room for files in /tmp, in MiB; it counts as memory.
    tmp_mb: Annotated[int, Field(ge=1)] = 64
    #: A server is replaced after so many jobs.
    recycle_after: Annotated[int, Field(ge=1)] = 2000
    #: A server that idled for so many seconds is probed before its next job.
    probe_idle: float = 30.0
    #: Tries of a job whose sandbox failed, before it is given back as an infra_error.
    attempts: Annotated[int, Field(ge=1)] = 2
    #: Seconds for which servers may fail to start before waiting jobs are given back.
    recovery_seconds: float = 60.0

    @property
    def width(self) -> int:
        return self.slots or len(os.sched_getaffinity(0))
