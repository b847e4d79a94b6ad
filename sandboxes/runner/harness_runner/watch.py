"""Watching one job: its output into bounded buffers, its time and memory against the limits.

The main process's end is the job's end. What it wrote until then is kept; processes that it left
behind, even ones that hold its pipes open, are not waited for but killed.
"""

from __future__ import annotations

import contextlib
import fcntl
import mmap
import os
import select
import signal
import time
from dataclasses import dataclass, field
from typing import Any

from harness_runner.limits import Limits

#: Kept of stderr, in bytes: enough for a traceback.
STDERR_BYTES = 1 << 16
#: Read from a pipe at once, in bytes.
_CHUNK = 1 << 16
#: Longest wait for killed processes to be gone, in seconds.
_REAP_SECONDS = 2.0
#: Between looks at a process that has no handle, in milliseconds.
_POLL_MS = 5.0
_SEALS = 0x1 | 0x2 | 0x4 | 0x8  # F_SEAL_SEAL, _SHRINK, _GROW, _WRITE
_OOM_FILES = (
    "/sys/fs/cgroup/memory.events",
    "/sys/fs/cgroup/memory/memory.oom_control",
    "/sys/memory.events",
    "/sys/memory.oom_control",
)


@dataclass
class Outcome:
    """What became of a job. `status` is `exited` unless a limit ended it."""

    status: str = "exited"
    exit: int | None = None
    signal: int | None = None
    wall_s: float = 0.0
    cpu_s: float = 0.0
    peak_mb: float = 0.0
    #: Complete lines of the result.
    lines: int = 0
    #: Processes that were still alive when the main one had ended.
    strays: int = 0
    strays_left: bool = field(default=False, repr=False)

    def fields(self) -> dict[str, Any]:
        shown = ("status", "exit", "signal", "wall_s", "cpu_s", "peak_mb", "lines", "strays")
        return {name: getattr(self, name) for name in shown}

    def reap_all(self) -> None:
        """Kill and reap every other process of this pid namespace, of which we are the init."""
        killed, deadline = False, 0.0
        while True:
            try:
                pid, _ = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid:
                self.strays += killed
            elif not killed:
                killed, deadline = True, time.monotonic() + _REAP_SECONDS
                with contextlib.suppress(ProcessLookupError):
                    os.kill(-1, signal.SIGKILL)
            elif time.monotonic() > deadline:
                self.strays_left = True
                return
            else:
                time.sleep(0.0005)


class Sink:
    """A pipe that a job writes and a bounded buffer that keeps the beginning of it.

    The buffer is memory that a fork does not inherit, and that is zeroed when the job is over.
    """

    def __init__(self, capacity: int) -> None:
        self._allocate(capacity)
        self._kept = self._keep = self._limit = self._total = 0
        self.read = self.write = -1

    def _allocate(self, capacity: int) -> None:
        self._capacity = capacity
        self._map = mmap.mmap(-1, capacity, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        self._map.madvise(mmap.MADV_DONTFORK)

    def open(self, limit: int, keep: int) -> None:
        """A fresh pipe; more than `limit` bytes are too many, the first `keep` are kept."""
        if keep > self._capacity:
            self._allocate(keep)
        self._limit, self._keep, self._total, self._kept = limit, keep, 0, 0
        self.read, self.write = os.pipe()
        os.set_blocking(self.read, False)
        # The job has another uid: without this, opening /dev/stdout by name would be refused. A kernel
        # that does not let a pipe's mode be changed (gVisor) may refuse that name.
        with contextlib.suppress(PermissionError):
            os.fchmod(self.write, 0o222)

    def drain(self) -> tuple[int, bool]:
        """Read what is there once; the number of complete lines in it, and whether more may come."""
        try:
            if self._kept < self._keep:
                start = self._kept
                with memoryview(self._map) as view, view[start : min(start + _CHUNK, self._keep)] as room:
                    count = os.readv(self.read, [room])
                self._kept += count
                self._total += count
                return self._lines(start), count > 0
            count = len(os.read(self.read, _CHUNK))
            self._total += count
            return 0, count > 0
        except BlockingIOError:
            return 0, False

    def _lines(self, start: int) -> int:
        lines, at = 0, self._map.find(b"\n", start, self._kept)
        while at >= 0:
            lines, at = lines + 1, self._map.find(b"\n", at + 1, self._kept)
        return lines

    @property
    def over(self) -> bool:
        """Whether more than the limit was written."""
        return self._total > self._limit

    def data(self) -> memoryview:
        """What was kept, up to the limit."""
        return memoryview(self._map)[: min(self._kept, self._limit)]

    def close(self) -> None:
        for end in (self.read, self.write):
            if end >= 0:
                os.close(end)
        self.read = self.write = -1
        if self._kept > _CHUNK:
            self._map.madvise(mmap.MADV_DONTNEED)
        else:
            self._map[: self._kept] = bytes(self._kept)
        self._kept = 0

    def close_write(self) -> None:
        os.close(self.write)
        self.write = -1


class Streams:
    """A job's descriptors 0 to 3: stdin, stdout, stderr and the result."""

    def __init__(self, output_bytes: int, result_bytes: int) -> None:
        self.out, self.err, self.res = Sink(output_bytes + 1), Sink(STDERR_BYTES), Sink(result_bytes + 1)
        self._stdin = -1

    def open(self, limits: Limits, stdin: memoryview | None) -> None:
        """Fresh descriptors. Input is a sealed file in memory: nobody needs to feed it, it can be opened
        again as /dev/stdin, and the job cannot change it."""
        self._stdin = os.memfd_create("stdin", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        rest = stdin or memoryview(b"")
        while rest:
            rest = rest[os.write(self._stdin, rest) :]
        os.lseek(self._stdin, 0, os.SEEK_SET)
        fcntl.fcntl(self._stdin, 1033, _SEALS)  # F_ADD_SEALS
        self.out.open(limits.output_bytes, limits.output_bytes + 1)
        self.err.open(limits.output_bytes, STDERR_BYTES)
        self.res.open(limits.result_bytes, limits.result_bytes + 1)

    def adopt(self, *, silent: bool = False) -> None:
        """In the child: become descriptors 0 to 3; a silent one writes nowhere."""
        if silent:
            null = os.open("/dev/null", os.O_RDWR)
            for end in (0, 1, 2, 3):
                os.dup2(null, end)
            return
        os.dup2(self._stdin, 0)
        os.dup2(self.out.write, 1)
        os.dup2(self.err.write, 2)
        os.dup2(self.res.write, 3)

    def parts(self) -> dict[str, memoryview]:
        return {"stdout": self.out.data(), "stderr": self.err.data(), "result": self.res.data()}

    def close(self) -> None:
        for sink in (self.out, self.err, self.res):
            sink.close()
        if self._stdin >= 0:
            os.close(self._stdin)
            self._stdin = -1


def watch(pid: int, streams: Streams, limits: Limits, *, calls: int = 0) -> Outcome:
    """Wait for the job's main process, ending it at a limit. Time limits are of the whole program, or
    of one call where there are calls."""
    outcome = Outcome()
    sinks = {sink.read: sink for sink in (streams.out, streams.err, streams.res)}
    for sink in sinks.values():
        sink.close_write()
    clock = (~pid << 3) | 2  # the CPU clock of another process: CPUCLOCK_SCHED
    started = marked = time.monotonic()
    cpu_marked = 0.0
    handle = _handle(pid)
    try:
        poll = select.poll()
        if handle >= 0:
            poll.register(handle, select.POLLIN)
        for end in sinks:
            poll.register(end, select.POLLIN)
        while True:
            wall_left = marked + limits.wall_seconds - time.monotonic()
            cpu = _cpu(clock)
            cpu_left = cpu_marked + limits.cpu_seconds - cpu
            if wall_left <= 0 or cpu_left <= 0:
                outcome.status = "time_limit"
                break
            longest = min(wall_left, cpu_left) * 1000 + 1
            ready = poll.poll(longest if handle >= 0 else min(longest, _POLL_MS))
            ended = handle < 0 and os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
            for end, _ in ready:
                if end == handle:
                    ended = True
                    continue
                sink = sinks[end]
                lines, more = sink.drain()
                if not more:
                    poll.unregister(end)
                elif sink.over:
                    outcome.status = "output_limit"
                elif lines and sink is streams.res and outcome.lines < calls:
                    outcome.lines += lines
                    marked, cpu_marked = time.monotonic(), _cpu(clock)
            if ended or outcome.status != "exited":
                break
        _end(pid, outcome)
    finally:
        if handle >= 0:
            os.close(handle)
    outcome.wall_s = time.monotonic() - started
    if outcome.status == "exited":
        _last_words(streams, outcome, calls)
        _judge(outcome, limits, calls)
    return outcome


def _handle(pid: int) -> int:
    """A descriptor that is readable when the process has ended; -1 where the kernel has no such thing."""
    try:
        return os.pidfd_open(pid)
    except OSError:
        return -1


def _cpu(clock: int) -> float:
    """Seconds of CPU that the process has used; 0 where the kernel (gVisor) does not say, and RLIMIT_CPU
    alone ends it."""
    try:
        return time.clock_gettime(clock)
    except OSError:
        return 0.0


def _end(pid: int, outcome: Outcome) -> None:
    if outcome.status != "exited":
        os.kill(pid, signal.SIGKILL)
    _, status, usage = os.wait4(pid, 0)
    outcome.cpu_s = usage.ru_utime + usage.ru_stime
    outcome.peak_mb = usage.ru_maxrss / 1024
    if os.WIFSIGNALED(status):
        outcome.signal = os.WTERMSIG(status)
    else:
        outcome.exit = os.WEXITSTATUS(status)


def _last_words(streams: Streams, outcome: Outcome, calls: int) -> None:
    """What is still in the pipes: bounded by their size, however many others keep writing."""
    for sink in (streams.out, streams.err, streams.res):
        for _ in range(32):
            lines, more = sink.drain()
            if sink is streams.res and calls:
                outcome.lines += lines
            if sink.over:
                outcome.status = "output_limit"
            if not more or sink.over:
                break


def _judge(outcome: Outcome, limits: Limits, calls: int) -> None:
    """Deaths that were a limit's doing."""
    if outcome.signal == signal.SIGXCPU or (not calls and outcome.cpu_s > limits.cpu_seconds):
        outcome.status = "time_limit"
    elif outcome.signal == signal.SIGKILL and _oom.happened():
        outcome.status = "memory_limit"


class _OomCounter:
    """Kills that the memory cgroup counted since last asked."""

    def __init__(self) -> None:
        self._path = next((path for path in _OOM_FILES if os.path.exists(path)), None)
        self._seen = self._count()

    def _count(self) -> int:
        if self._path is None:
            return 0
        with open(self._path, encoding="ascii") as file:
            for line in file:
                name, _, value = line.partition(" ")
                if name == "oom_kill":
                    return int(value)
        return 0

    def happened(self) -> bool:
        before, self._seen = self._seen, self._count()
        return self._seen > before


_oom = _OomCounter()
