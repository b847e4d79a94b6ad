"""What a job is put under before its first own instruction: identity, limits, filter.

Order matters. What needs privilege comes first; then the uid changes, which drops every capability;
then no_new_privs and the filter, after which there is no way back.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
from dataclasses import dataclass
from typing import Any

from harness_runner.seccomp import Filter

_PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS, _PR_SET_PDEATHSIG = 4, 38, 1
#: Address space beyond the job's own memory: interpreter, libraries, thread stacks, in MiB.
ADDRESS_SLACK_MB = 96
#: Processes and threads of one job.
PROCESSES = 48
#: How much a job stands back behind its server, which must be able to end it: within the same
#: control group this decides, and nowhere else.
NICE = 10
#: Largest file a job may write, in MiB.
FILE_MB = 64


@dataclass(frozen=True)
class Limits:
    """Limits of one job, as the trusted side asked for them."""

    cpu_seconds: float
    wall_seconds: float
    memory_mb: int
    output_bytes: int
    result_bytes: int
    #: How often the program may take these seconds: once, or once for each of its calls.
    turns: int = 1

    @classmethod
    def of(cls, header: dict[str, Any]) -> Limits:
        given = header["limits"]
        turns = max(1, int(header.get("calls", 0)))
        return cls(
            float(given["cpu_seconds"]),
            float(given["wall_seconds"]),
            int(given["memory_mb"]),
            int(given["output_bytes"]),
            int(given["result_bytes"]),
            turns,
        )


class Confinement:
    """Applied in the child of a fork; made once in the server."""

    def __init__(self, *, change_uid: bool, seccomp: bool = True) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._filter = Filter(self._libc) if seccomp else None
        self._change_uid = change_uid
        self._hard = {kind: resource.getrlimit(kind)[1] for kind in _KINDS}

    def enter(self, uid: int, limits: Limits, *, dumpable: bool = True) -> None:
        """Become the job. Raises OSError when any wall cannot be put up: then nothing may run."""
        self._prctl(_PR_SET_DUMPABLE, 1)
        os.nice(NICE)
        # Where memory runs out, the kernel takes the job and not the server.
        with open("/proc/self/oom_score_adj", "wb", buffering=0) as file:
            file.write(b"1000")
        address = (limits.memory_mb + ADDRESS_SLACK_MB) << 20
        seconds = int(limits.cpu_seconds * limits.turns) + 2
        self._limit(resource.RLIMIT_AS, address)
        # A stack may be as large as the memory: deep recursion is not an error of its own.
        self._limit(resource.RLIMIT_STACK, min(address, limits.memory_mb << 20), exact=False)
        self._limit(resource.RLIMIT_CPU, seconds, exact=False)
        self._limit(resource.RLIMIT_FSIZE, FILE_MB << 20)
        self._limit(resource.RLIMIT_CORE, 0)
        self._limit(resource.RLIMIT_NOFILE, 128)
        for kind in (resource.RLIMIT_MEMLOCK, resource.RLIMIT_MSGQUEUE):
            # gVisor has no such limits, nor what they limit, and refuses to set them.
            with contextlib.suppress(ValueError):
                self._limit(kind, 0)
        if self._change_uid:
            self._limit(resource.RLIMIT_NPROC, PROCESSES)
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
            # A change of uid makes a process undumpable, and its /proc/self/fd root's: /dev/stdin
            # would not open. One that keeps secrets from others of its uid stays so.
        self._prctl(_PR_SET_DUMPABLE, int(dumpable))
        self._prctl(_PR_SET_NO_NEW_PRIVS, 1)
        if self._filter is not None:
            self._filter.install()

    def hide(self) -> None:
        """Keep this process's memory and descriptors from others of its uid."""
        self._prctl(_PR_SET_DUMPABLE, 0)

    def die_with_parent(self) -> None:
        """Be killed when the parent ends: for servers that are not the init of a namespace."""
        self._prctl(_PR_SET_PDEATHSIG, 9)

    def _limit(self, kind: int, value: int, *, exact: bool = True) -> None:
        hard = self._hard[kind]
        if hard != resource.RLIM_INFINITY and value > hard:
            if exact and kind == resource.RLIMIT_AS:
                raise OSError(f"the sandbox allows less address space ({hard}) than the job's {value}")
            value = hard
        resource.setrlimit(kind, (value, value))

    def _prctl(self, option: int, value: int) -> None:
        if self._libc.prctl(option, value, 0, 0, 0):
            raise OSError(ctypes.get_errno(), f"prctl {option}: {os.strerror(ctypes.get_errno())}")


_KINDS = (
    resource.RLIMIT_AS,
    resource.RLIMIT_STACK,
    resource.RLIMIT_CPU,
    resource.RLIMIT_FSIZE,
    resource.RLIMIT_CORE,
    resource.RLIMIT_NOFILE,
    resource.RLIMIT_MEMLOCK,
    resource.RLIMIT_MSGQUEUE,
    resource.RLIMIT_NPROC,
)
