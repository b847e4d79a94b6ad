"""A pool of slots: a bounded queue in front, one thread per slot behind it, no job lost or invented.

A job that loses its server is tried again on a fresh one; when that fails too, or when no server can
be started for `recovery_seconds`, it comes back as an `infra_error`. Any event loop and any thread
may use the pool.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Self

from harness.contract import HarnessError, Job, Raw
from harness_sandbox import exchange
from harness_sandbox.channel import ChannelError, Launcher, StartError
from harness_sandbox.options import PoolOptions
from harness_sandbox.slot import Slot


class SandboxError(HarnessError):
    """No sandbox of the kind asked for can be had here, or a job asks for more than it has."""


class SandboxBusy(SandboxError):
    """The queue is full, and the caller did not want to wait."""


@dataclass(slots=True, eq=False)
class _Item:
    job: Job
    future: Future[Raw]
    asked: float
    attempts: int = 0


@dataclass(slots=True)
class PoolStats:
    """Sums over the pool's life."""

    jobs: int = 0
    starts: int = 0
    anomalies: int = 0
    strays: int = 0
    infra_errors: int = 0
    retries: int = 0
    swept: int = 0
    #: CPU seconds of servers and jobs.
    cpu_s: float = 0.0
    #: Why the last server that failed did so.
    last_error: str = field(default="")


class SandboxPool:
    """A `Sandbox` over the servers that a launcher starts."""

    def __init__(self, launcher: Launcher, options: PoolOptions) -> None:
        self.kind = launcher.kind
        self.options = options
        self.stats = PoolStats()
        self.launcher = launcher
        self._items: deque[_Item] = deque()
        self._waiters: deque[Future[None]] = deque()
        self._lock = threading.Lock()
        self._work = threading.Condition(self._lock)
        self._closed = False
        self.stats.swept = launcher.sweep()
        self._slots = [
            Slot(n, launcher, recycle_after=options.recycle_after, probe_idle=options.probe_idle)
            for n in range(options.width)
        ]
        self._threads = [
            threading.Thread(target=self._serve, args=(slot,), name=f"sandbox-{slot.number}", daemon=True)
            for slot in self._slots
        ]
        for thread in self._threads:
            thread.start()

    async def run(self, job: Job) -> Raw:
        """Run a job, waiting while the queue is full.

        Raises:
            SandboxError: the job asks for more memory than the sandbox has, or for a language that it
                has not, or the pool is closed.
        """
        while True:
            taken = self._offer(job)
            if isinstance(taken, _Item):
                break
            try:
                await asyncio.wrap_future(taken)
            except asyncio.CancelledError:
                if not taken.cancel():
                    # It was given room that it will not use: the next waiter gets it.
                    with self._lock:
                        self._admit()
                raise
        try:
            return await asyncio.wrap_future(taken.future)
        except asyncio.CancelledError:
            self.forget(taken.future)
            raise

    def run_sync(self, job: Job) -> Raw:
        """As `run`, from a thread."""
        while True:
            taken = self._offer(job)
            if isinstance(taken, _Item):
                return taken.future.result()
            taken.result()

    def submit(self, job: Job) -> Future[Raw]:
        """Queue a job without waiting for room; raises SandboxBusy if there is none."""
        taken = self._offer(job, wait=False)
        if isinstance(taken, _Item):
            return taken.future
        raise SandboxBusy(f"{self.options.queue} jobs are waiting already", where=f"sandbox {self.kind!r}")

    def forget(self, future: Future[Raw]) -> bool:
        """Cancel what `submit` gave and drop its job unless it is under way; returns whether it did."""
        if not future.cancel():
            return False
        with self._lock:
            item = next((one for one in self._items if one.future is future), None)
            if item is not None:
                self._items.remove(item)
                self._admit()
        return True

    @property
    def width(self) -> int:
        """Jobs that run side by side (protocol `Sandbox`)."""
        return self.options.width

    @property
    def waiting(self) -> int:
        """Jobs in the queue."""
        return len(self._items)

    @property
    def busy_s(self) -> float:
        """Seconds that slots were at jobs so far, added up."""
        return sum(slot.busy_s for slot in self._slots)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End all servers; jobs that still wait come back as infra errors."""
        with self._lock:
            self._closed = True
            left = list(self._items)
            self._items.clear()
            waiters = list(self._waiters)
            self._waiters.clear()
            self._work.notify_all()
        for item in left:
            if item.future.set_running_or_notify_cancel():
                self._give(item, exchange.failed("the sandbox was closed"))
        for waiter in waiters:
            if waiter.set_running_or_notify_cancel():
                waiter.set_result(None)
        for thread in self._threads:
            thread.join()
        self.launcher.close()

    def _offer(self, job: Job, *, wait: bool = True) -> _Item | Future[None]:
        if job.memory_mb > self.options.memory_mb:
            raise SandboxError(
                f"a job asks for {job.memory_mb} MiB",
                where=f"sandbox {self.kind!r}",
                allowed=f"at most memory_mb = {self.options.memory_mb}",
            )
        if job.language not in ("python", self.options.language):
            # Without a compiler every program would look like one that does not compile.
            raise SandboxError(
                f"a job is in {job.language!r}",
                where=f"sandbox {self.kind!r}",
                allowed=f"python, or language = {self.options.language!r}",
                hint=f"give the sandbox language = {job.language!r}",
            )
        asked = job.calls or job.expressions or job.tests or job.binary or job.entry_point
        if job.trace and (asked or job.language != "python"):
            raise SandboxError(
                "a job asks for a trace of something else than a program",
                where=f"sandbox {self.kind!r}",
                allowed="trace = True for a whole Python program that reads stdin",
            )
        with self._lock:
            if self._closed:
                raise SandboxError("it is closed", where=f"sandbox {self.kind!r}")
            if len(self._items) < self.options.queue:
                item = _Item(job, Future(), time.monotonic())
                self._items.append(item)
                self._work.notify()
                return item
            room: Future[None] = Future()
            if wait:
                self._waiters.append(room)
            return room

    def _take(self) -> _Item | None:
        with self._lock:
            while not self._items and not self._closed:
                self._work.wait()
            if self._closed:
                return None
            item = self._items.popleft()
            self._admit()
            return item

    def _admit(self) -> None:
        """Tell the first that still waits that there is room; the lock is held."""
        while self._waiters and len(self._items) < self.options.queue:
            waiter = self._waiters.popleft()
            # From here on it cannot be cancelled any more, by whichever thread.
            if waiter.set_running_or_notify_cancel():
                waiter.set_result(None)
                return

    def _serve(self, slot: Slot) -> None:
        while (item := self._take()) is not None:
            if not item.future.set_running_or_notify_cancel():
                continue
            began = time.monotonic()
            try:
                raw = self._attempt(slot, item)
            except Exception as bug:  # noqa: BLE001 - our bug: the caller that waits for the job gets it
                item.future.set_exception(bug)
                continue
            self._give(item, replace(raw, queue_s=began - item.asked))
        slot.drop()

    def _attempt(self, slot: Slot, item: _Item) -> Raw:
        """Run on this slot until there is an answer, the tries are used up or recovery took too long."""
        give_up = time.monotonic() + self.options.recovery_seconds
        pause = 0.05
        while True:
            try:
                raw = slot.run(item.job)
                if raw.status != "infra_error":
                    return raw
                error, outage = raw.reason, False
            except ChannelError as failure:
                error, outage = str(failure), isinstance(failure, StartError)
            with self._lock:
                self.stats.last_error = error
                self.stats.retries += 1
            # A server that failed under this job counts against the job's tries; one that does not
            # come up is an outage, which is waited out.
            item.attempts += not outage
            if item.attempts >= self.options.attempts or time.monotonic() > give_up or self._closed:
                return exchange.failed(error)
            if outage:
                time.sleep(pause)
                pause = min(pause * 2, 2.0)

    def _give(self, item: _Item, raw: Raw) -> None:
        with self._lock:
            self.stats.infra_errors += raw.status == "infra_error"
            self.stats.jobs += 1
            slots = [slot.stats for slot in self._slots]
            self.stats.starts = sum(s.starts for s in slots)
            self.stats.anomalies = sum(s.anomalies for s in slots)
            self.stats.strays = sum(s.strays for s in slots)
            self.stats.cpu_s = sum(s.cpu_s for s in slots)
        item.future.set_result(raw)
