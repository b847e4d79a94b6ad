"""Watching one job: its output into bounded buffers, its time and memory against the limits.

The main process's end is the job's end. What it wrote until then is kept; processes that it left
behind, even ones that hold its pipes open, are not waited for but killed.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from dataclasses import dataclass, field
from typing import Any

from harness_runner.limits import Limits
from harness_runner.streams import Streams

#: Longest wait for killed processes to be gone, in seconds.
_REAP_SECONDS = 2.0
#: For so long only a job's end is waited for, in milliseconds. Most jobs are over by then, and what they
#: wrote is read in one go; one that writes more than pipes hold waits.
_QUIET_MS = 20.0
#: Between looks at a process that has no handle, in milliseconds.
_POLL_MS = 5.0
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
    #: CPU seconds of the process that used most, of those that were reaped with the main one.
    other_cpu_s: float = field(default=0.0, repr=False)

    def fields(self) -> dict[str, Any]:
        shown = ("status", "exit", "signal", "wall_s", "cpu_s", "peak_mb", "lines", "strays")
        return {name: getattr(self, name) for name in shown}

    def blame_other(self, limits: Limits) -> None:
        """A job that failed while another of its processes ran out of CPU time failed for that: tests die
        of an answer that does not come."""
        if self.status == "exited" and self.exit != 0 and self.other_cpu_s > limits.cpu_seconds:
            self.status, self.cpu_s = "time_limit", self.other_cpu_s

    def reap_all(self) -> None:
        """Kill and reap every other process of this pid namespace, of which we are the init."""
        killed, deadline = False, 0.0
        while True:
            try:
                pid, _, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid:
                self.strays += killed
                self.other_cpu_s = max(self.other_cpu_s, usage.ru_utime + usage.ru_stime)
            elif not killed:
                killed, deadline = True, time.monotonic() + _REAP_SECONDS
                with contextlib.suppress(ProcessLookupError):
                    os.kill(-1, signal.SIGKILL)
            elif time.monotonic() > deadline:
                self.strays_left = True
                return
            else:
                time.sleep(0.0005)


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
        ended = handle >= 0 and bool(poll.poll(min(_QUIET_MS, limits.wall_seconds * 1000)))
        for end in () if ended else sinks:
            poll.register(end, select.POLLIN)
        while not ended:
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
            if outcome.status != "exited":
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
