"""A job's descriptors: its input as a file in memory, its outputs as pipes into bounded buffers.

The buffers are the only place where what a job says is held. A fork does not inherit them, and they are
zeroed when the job is over, so that no job finds another's data in its own memory.
"""

from __future__ import annotations

import contextlib
import fcntl
import mmap
import os

from harness_runner.limits import Limits

#: Kept of stderr, in bytes: enough for a traceback.
STDERR_BYTES = 1 << 16
#: Read from a pipe at once, in bytes.
_CHUNK = 1 << 16
_SEALS = 0x1 | 0x2 | 0x4 | 0x8  # F_SEAL_SEAL, _SHRINK, _GROW, _WRITE


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
