"""The jobs that a front has taken: jobs by name, so that a client that asks again gets the same job.

A name is given by the client and means one execution: a request that was lost on the way may be repeated,
and finds the job waiting, running or done. Everything is bounded: jobs, bytes of jobs, bytes of results. What
does not fit is refused at once with a time to come back, never left to time out.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Final

from harness_sandbox import exchange
from harness_sandbox.pool import SandboxBusy, SandboxPool

from harness.contract import Job, Raw
from harness_remote import messages

#: Seconds for which a result is kept for a client that has not had it, and for one that has.
KEEP_SECONDS: Final = 300.0
COLLECTED_SECONDS: Final = 30.0
#: Seconds that a host that shuts down waits for clients to fetch finished jobs.
LATE_SECONDS: Final = 5.0
#: Seconds after which a queued job that no client asks for any more is dropped.
ABANDON_SECONDS: Final = 60.0
#: Infra errors in a row after which the front says that it is not well.
SICK: Final = 3


class Full(Exception):
    """There is no room; ask again after this many seconds."""

    def __init__(self, what: str, seconds: float) -> None:
        super().__init__(what)
        self.seconds = seconds


@dataclass(slots=True, eq=False)
class Entry:
    """One job that was taken on."""

    name: str
    size: int
    #: None once it is done, so that the result is not kept twice.
    running: Future[Raw] | None
    done: asyncio.Event = field(default_factory=asyncio.Event)
    #: What came of it, packed.
    body: bytes = b""
    #: Requests that hold on for it now, and when the last of them left.
    waiters: int = 0
    left: float = field(default_factory=time.monotonic)
    collected: bool = False


@dataclass(slots=True)
class DeskStats:
    """Sums over the front's life."""

    taken: int = 0
    finished: int = 0
    infra_errors: int = 0
    refused: int = 0
    #: Requests for a job that was here already: repeats of clients whose connection was lost.
    repeats: int = 0
    abandoned: int = 0


class Desk:
    """Jobs on their way through a pool. Used from one event loop."""

    def __init__(self, pool: SandboxPool, *, job_bytes: int, result_bytes: int) -> None:
        self.pool = pool
        self.stats = DeskStats()
        self.draining = False
        self._room = pool.options.queue + pool.options.width
        self._job_bytes, self._result_bytes = job_bytes, result_bytes
        self._entries: dict[str, Entry] = {}
        #: Jobs not finished, requests whose body is being read among them, and bytes of both.
        self._open = self._open_bytes = 0
        self._kept_bytes = 0
        self._errors_in_a_row = 0
        #: Jobs finished per second, over the last few dozen.
        self._rate = 0.0
        self._last_done = 0.0
        self._loop = asyncio.get_running_loop()

    @property
    def open(self) -> int:
        """Jobs that are not finished."""
        return self._open

    @property
    def sick(self) -> bool:
        """Whether the pool has not run anything properly of late."""
        return self._errors_in_a_row >= SICK

    @property
    def idle(self) -> bool:
        """Whether no job is under way and no client will fetch a finished one."""
        late = time.monotonic() - LATE_SECONDS
        return not self._open and all(e.collected or e.left < late for e in self._entries.values())

    def find(self, name: str) -> Entry | None:
        entry = self._entries.get(name)
        if entry is not None:
            self.stats.repeats += 1
        return entry

    @contextlib.contextmanager
    def reserve(self, size: int) -> Iterator[None]:
        """Room for a job while its body is read; raises Full."""
        if self._open >= self._room:
            self._refuse(f"{self._open} jobs are under way")
        if self._open_bytes + size > self._job_bytes:
            self._refuse(f"{self._open_bytes >> 20} MiB of jobs are under way")
        self._open += 1
        self._open_bytes += size
        try:
            yield
        finally:
            self._open -= 1
            self._open_bytes -= size

    def take(self, name: str, job: Job, size: int) -> Entry:
        """Queue a job; raises Full, and SandboxError for what the pool never does."""
        # Another request with this name may have come while this one's body was read.
        if (known := self._entries.get(name)) is not None:
            return known
        try:
            running = self.pool.submit(job)
        except SandboxBusy as busy:
            self._refuse(busy.what)
        entry = self._entries[name] = Entry(name, size, running)
        self._open += 1
        self._open_bytes += size
        self.stats.taken += 1
        running.add_done_callback(lambda done: self._tell(entry, done))
        return entry

    def _tell(self, entry: Entry, running: Future[Raw]) -> None:
        """From the pool's thread; the loop is gone if a front ended with jobs under way."""
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._finish, entry, running)

    async def wait(self, entry: Entry, seconds: float) -> bool:
        """Hold on until it is done, at most so long; whether it is."""
        entry.waiters += 1
        try:
            async with asyncio.timeout(seconds):
                await entry.done.wait()
        except TimeoutError:
            return False
        finally:
            entry.waiters -= 1
            entry.left = time.monotonic()
        return True

    def forget(self, entry: Entry) -> None:
        """Nobody wants it: cancelled if it waits, else its result is dropped when it comes."""
        if entry.running is None:
            self._drop(entry)
        else:
            self.pool.forget(entry.running)
            entry.collected = True

    def sweep(self) -> None:
        """Drop jobs that no client asks for any more."""
        now = time.monotonic()
        for entry in list(self._entries.values()):
            if entry.waiters:
                continue
            age = now - entry.left
            if not entry.done.is_set():
                if age > ABANDON_SECONDS and entry.running is not None and self.pool.forget(entry.running):
                    self.stats.abandoned += 1
            elif age > (COLLECTED_SECONDS if entry.collected else KEEP_SECONDS):
                self._drop(entry)

    def _finish(self, entry: Entry, running: Future[Raw]) -> None:
        entry.running = None
        self._open -= 1
        self._open_bytes -= entry.size
        now = time.monotonic()
        if running.cancelled():
            entry.done.set()
            self._entries.pop(entry.name, None)
            return
        error = running.exception()
        raw = running.result() if error is None else exchange.failed(f"the host failed: {error!r}")
        self.stats.finished += 1
        broken = raw.status == "infra_error"
        self.stats.infra_errors += broken
        self._errors_in_a_row = self._errors_in_a_row + 1 if broken else 0
        if self._last_done:
            self._rate += 0.05 * (1.0 / max(now - self._last_done, 1e-4) - self._rate)
        self._last_done = now
        entry.body = messages.pack_raw(raw)
        entry.left = now
        entry.done.set()
        self._kept_bytes += len(entry.body)
        if self._kept_bytes > self._result_bytes:
            self._make_room(entry)

    def _make_room(self, entry: Entry) -> None:
        """Drop results but this one's: those that were delivered first, then the oldest; a client that comes
        late asks anew."""
        for old in sorted(self._entries.values(), key=lambda e: not e.collected):
            if self._kept_bytes <= self._result_bytes:
                break
            if old.done.is_set() and not old.waiters and old is not entry:
                self._drop(old)

    def _drop(self, entry: Entry) -> None:
        if self._entries.pop(entry.name, None) is not None:
            self._kept_bytes -= len(entry.body)

    def _refuse(self, what: str) -> None:
        self.stats.refused += 1
        # Until a tenth of the jobs under way is done; a client that is refused gets no place in the queue.
        seconds = self._open / 10 / self._rate if self._rate else 1.0
        raise Full(what, min(max(seconds, 0.1), 10.0))
