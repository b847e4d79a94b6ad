"""What a job is put under before its first own instruction: identity, limits, filter.

Order matters. The server takes on what it can, no_new_privs among it, and jobs inherit that. In the job,
what needs privilege comes first; then the uid changes, which drops every capability; then the filter, after
which there is no way back.
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
        self._of: Limits | None = None
        self._wanted: list[tuple[int, tuple[int, int]]] = []
        self._refused = ""

    def settle(self) -> None:
        """Once, in the server: what holds for it and for every job alike.

        Its memory and descriptors are kept from others of its uid.
        """
        self._prctl(_PR_SET_DUMPABLE, 0)
        self._prctl(_PR_SET_NO_NEW_PRIVS, 1)
        for kind in (resource.RLIMIT_CORE, resource.RLIMIT_MEMLOCK, resource.RLIMIT_MSGQUEUE):
            # gVisor has no limits on the last two, nor what they limit, and refuses to set them.
            with contextlib.suppress(ValueError):
                resource.setrlimit(kind, (0, 0))

    def prepare(self, limits: Limits) -> None:
        """Before the fork: work out what `enter` will ask the kernel for."""
        if limits is self._of:
            return
        address = (limits.memory_mb + ADDRESS_SLACK_MB) << 20
        values = {
            resource.RLIMIT_AS: address,
            # A stack may be as large as the memory: deep recursion is not an error of its own.
            resource.RLIMIT_STACK: min(address, limits.memory_mb << 20),
            resource.RLIMIT_CPU: int(limits.cpu_seconds * limits.turns) + 2,
            resource.RLIMIT_FSIZE: FILE_MB << 20,
            resource.RLIMIT_NOFILE: 128,
        }
        if self._change_uid:
            values[resource.RLIMIT_NPROC] = PROCESSES
        self._of, self._wanted, self._refused = limits, [], ""
        for kind, value in values.items():
            hard = self._hard[kind]
            if hard != resource.RLIM_INFINITY and value > hard:
                if kind == resource.RLIMIT_AS:
                    self._refused = f"the sandbox allows less address space ({hard}) than the job's {value}"
                value = hard
            self._wanted.append((kind, (value, value)))

    def enter(self, uid: int, *, dumpable: bool = True) -> None:
        """Become the job of the limits that were prepared.

        It runs in a process that was just forked, in which every page of memory that it touches has to be
        copied first: so all that can be is done before, and it says to the kernel what is left.

        Raises:
            OSError: a wall cannot be put up; then nothing may run.
        """
        if self._refused:
            raise OSError(self._refused)
        self._prctl(_PR_SET_DUMPABLE, 1)
        os.nice(NICE)
        # Where memory runs out, the kernel takes the job and not the server.
        score = os.open("/proc/self/oom_score_adj", os.O_WRONLY)
        os.write(score, b"1000")
        os.close(score)
        for kind, value in self._wanted:
            resource.setrlimit(kind, value)
        if self._change_uid:
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
            # A change of uid makes a process undumpable, and its /proc/self/fd root's: /dev/stdin
            # would not open. One that keeps secrets from others of its uid stays so.
        self._prctl(_PR_SET_DUMPABLE, int(dumpable))
        if self._filter is not None:
            self._filter.install()

    def die_with_parent(self) -> None:
        """Be killed when the parent ends: for servers that are not the init of a namespace."""
        self._prctl(_PR_SET_PDEATHSIG, 9)

    def _prctl(self, option: int, value: int) -> None:
        if self._libc.prctl(option, value, 0, 0, 0):
            raise OSError(ctypes.get_errno(), f"prctl {option}: {os.strerror(ctypes.get_errno())}")


_KINDS = (
    resource.RLIMIT_AS,
    resource.RLIMIT_STACK,
    resource.RLIMIT_CPU,
    resource.RLIMIT_FSIZE,
    resource.RLIMIT_NOFILE,
    resource.RLIMIT_NPROC,
)
