"""The pool: one thread of the driver that feeds workers, watches the clock and replaces workers that died.

Rules:
- A sample that runs longer than `deadline` seconds is killed with its worker: `timeout`. Time in which it
  could have run and the machine gave it no core does not count; if that is `STARVED` times the deadline,
  the sample is an `infra_error`: nothing is known about it.
- A worker at one sample for longer than `PATIENCE` is a straggler: what was queued behind that sample
  goes to others at once and a fresh worker takes its place, so nobody waits for the deadline. A
  straggler is killed once it has answered. At most `workers * STRAGGLERS` of them run at a time.
- A worker that dies by itself takes its sample down once: the sample is tried again, alone, and a
  second death is an `infra_error` with the cause. What was queued behind it is unharmed.
- Work is handed out in batches, so that the pipe is no bottleneck, and answered one by one.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
import time
from collections import deque
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Final

from harness.contract.errors import PluginError
from harness.contract.records import Status, Verdict
from harness.scoring import framing
from harness.scoring.fork_client import ForkClient, cause
from harness.scoring.judge import failed
from harness.scoring.packing import unpack_verdict
from harness.scoring.spec import VerifierSpec
from harness.support.processes import starved_seconds

#: Seconds at one sample after which nobody waits behind it any more.
PATIENCE: Final = 0.25
#: Stragglers that may run beside each of the `workers`.
STRAGGLERS: Final = 3
#: Deadlines that a sample may wait for a core.
STARVED: Final = 20
#: Seconds of it that are none: a deadline moves by no less.
TICK: Final = 0.01
#: Seconds that a worker may take to open its verifiers.
OPEN_SECONDS: Final = 60.0
#: Samples and bytes in a batch, at most.
BATCH: Final = 32
BATCH_BYTES: Final = 1 << 19
#: Times that the fork server is started anew without one verdict in between.
RESTARTS: Final = 3


@dataclass(slots=True, eq=False)
class PendingVerdict:
    """One sample on its way to a verdict."""

    number: int
    verifier: str
    content: bytes
    future: Future[Verdict] = field(default_factory=Future)
    deaths: int = 0


@dataclass(slots=True, eq=False)
class _Worker:
    connection: socket.socket
    pid: int | None = None
    opened: bool = False
    #: What it was given and has not answered, in order; the first is the one it is at.
    pending: deque[PendingVerdict] = field(default_factory=deque)
    since: float = 0.0
    straggler: bool = False
    #: Of a straggler: how long it had waited for a core when it became one, and at this sample since then.
    starved_before: float = 0.0
    starved: float = 0.0
    #: Why it was killed; None while it lives or when it died by itself.
    killed: bool = False
    #: The connection ended; what remains is to hear from the fork server why.
    gone: bool = False
    frames: framing.Frames = field(default_factory=framing.Frames)
    out: bytearray = field(default_factory=bytearray)


class Pool:
    """Worker processes for `specs`. `submit` may be called from any thread."""

    def __init__(
        self, specs: Mapping[str, VerifierSpec], *, workers: int, deadline: float, memory_mb: int
    ) -> None:
        self.specs, self.size, self.deadline, self.memory_mb = dict(specs), workers, deadline, memory_mb
        self._forks = ForkClient(self.specs, memory_mb)
        self.hashes = dict(self._forks.hashes)
        self._lock = threading.Lock()
        self._inbox: deque[PendingVerdict] = deque()
        self._pending: deque[PendingVerdict] = deque()
        self._workers: list[_Worker] = []
        self._forking: deque[_Worker] = deque()
        self._restarts = 0
        self._closing = False
        #: What becomes of samples that are not judged when the thread ends.
        self._reason = "the scorer was closed before it was judged"
        self._selector = selectors.DefaultSelector()
        self._wake_in, self._wake_out = socket.socketpair()
        self._wake_in.setblocking(False)
        self._wake_out.setblocking(False)
        self._selector.register(self._wake_in, selectors.EVENT_READ, self._drain_wake)
        self._selector.register(self._forks.control, selectors.EVENT_READ, self._on_forks)
        self._thread = threading.Thread(target=self._run, name="harness-scoring", daemon=True)
        self._thread.start()

    def submit(self, pending: PendingVerdict) -> None:
        with self._lock:
            closing, told = self._closing, bool(self._inbox)
            if not closing:
                self._inbox.append(pending)
        if closing:
            self._fail(pending, self._reason)
        elif not told:
            self._wake()

    def close(self) -> None:
        """End all workers; what is not yet judged becomes an `infra_error` that says so."""
        with self._lock:
            if self._closing:
                return
            self._closing = True
        self._wake()
        self._thread.join()

    # The thread ----------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            while not self._closing:
                self._take_inbox()
                self._staff()
                self._feed()
                for key, events in self._selector.select(self._next_alarm()):
                    key.data(events)
                self._check_clocks()
        except Exception as error:
            self._reason = f"the scoring pool failed: {type(error).__name__}: {error}"
            raise
        finally:
            with self._lock:
                self._closing = True
            self._forks.close()
            self._take_inbox()
            for worker in self._workers:
                worker.connection.close()
                self._pending.extend(worker.pending)
            for pending in self._pending:
                self._fail(pending, self._reason)
            self._selector.close()
            self._wake_in.close()
            self._wake_out.close()

    def _wake(self) -> None:
        # A full buffer means that the thread has yet to wake; a closed one that it has ended.
        with contextlib.suppress(BlockingIOError, OSError):
            self._wake_out.send(b"\0")

    def _drain_wake(self, _events: int) -> None:
        with contextlib.suppress(BlockingIOError):
            self._wake_in.recv(4096)

    def _take_inbox(self) -> None:
        with self._lock:
            self._pending.extend(self._inbox)
            self._inbox.clear()

    def _staff(self) -> None:
        """Fork workers until enough are at work, and no more stragglers than allowed."""
        able = sum(not w.straggler and not w.killed and not w.gone for w in self._workers)
        room = self.size * (1 + STRAGGLERS) - len(self._workers)
        for _ in range(min(self.size - able, room, len(self._pending))):
            worker = _Worker(self._forks.fork(), since=time.monotonic())
            self._workers.append(worker)
            self._forking.append(worker)
            self._selector.register(
                worker.connection, selectors.EVENT_READ, lambda events, w=worker: self._on_worker(w, events)
            )

    def _feed(self) -> None:
        free = [w for w in self._workers if w.opened and self._usable(w) and len(w.pending) < BATCH // 4]
        for worker in sorted(free, key=lambda w: len(w.pending)):
            if not self._pending:
                return
            if self._pending[0].deaths:
                if worker.pending:
                    continue
                batch = [self._pending.popleft()]
            else:
                batch = self._batch(-(-len(self._pending) // (2 * self.size)))
            if not worker.pending:
                worker.since = time.monotonic()
            worker.pending.extend(batch)
            payload = framing.dump([(pending.number, pending.verifier, pending.content) for pending in batch])
            worker.out += framing.frame(payload)
            self._write(worker)

    def _batch(self, share: int) -> list[PendingVerdict]:
        batch: list[PendingVerdict] = []
        size = 0
        while self._pending and len(batch) < min(BATCH, max(1, share)) and size < BATCH_BYTES:
            if self._pending[0].deaths:
                break
            pending = self._pending.popleft()
            size += len(pending.content)
            batch.append(pending)
        return batch

    def _usable(self, worker: _Worker) -> bool:
        # A sample that once met a worker's death is alone with its worker.
        alone = bool(worker.pending) and worker.pending[0].deaths > 0
        return not (worker.straggler or worker.killed or worker.gone or alone)

    # Clocks --------------------------------------------------------------------------------------

    def _next_alarm(self) -> float | None:
        now = time.monotonic()
        alarms = [self._alarm(w) for w in self._workers if not w.killed and not w.gone]
        known = [alarm for alarm in alarms if alarm is not None]
        return max(0.0, min(known) - now) if known else None

    def _alarm(self, worker: _Worker) -> float | None:
        if not worker.opened:
            return worker.since + OPEN_SECONDS
        if not worker.pending:
            return None
        if worker.straggler:
            return worker.since + self.deadline + worker.starved
        return worker.since + min(PATIENCE, self.deadline)

    def _check_clocks(self) -> None:
        now = time.monotonic()
        for worker in self._workers:
            if worker.killed or worker.gone:
                continue
            alarm = self._alarm(worker)
            if alarm is None or now < alarm:
                continue
            if not worker.opened:
                self._kill(worker)
                for pending in self._pending:
                    self._fail(pending, f"its verifiers did not open within {OPEN_SECONDS:g} s")
                self._pending.clear()
            elif not worker.straggler:
                worker.straggler = True
                worker.starved_before = starved_seconds(worker.pid or 0)
                self._take_back(worker)
            elif not self._is_starved(worker):
                self._expire(worker, now)

    def _is_starved(self, worker: _Worker) -> bool:
        """Whether a straggler waited for a core so long that it has time left; its alarm is then later."""
        waited = starved_seconds(worker.pid or 0) - worker.starved_before
        more, worker.starved = waited - worker.starved, waited
        return more > TICK and waited < STARVED * self.deadline

    def _take_back(self, worker: _Worker) -> None:
        """What was queued behind the worker's sample goes to others."""
        behind = list(worker.pending)[1:]
        self._pending.extendleft(reversed(behind))
        for _ in behind:
            worker.pending.pop()

    def _expire(self, worker: _Worker, now: float) -> None:
        self._take_back(worker)
        pending = worker.pending.popleft()
        self._kill(worker)
        status: Status = "timeout"
        reason = f"deadline: not judged within {self.deadline:g} s"
        if worker.starved >= STARVED * self.deadline:
            status = "infra_error"
            reason = f"starved: waited {worker.starved:.0f} s for a core of this machine"
        self._settle(
            pending, failed(pending.verifier, self._hash(pending), status, reason, now - worker.since)
        )

    def _kill(self, worker: _Worker) -> None:
        worker.killed = True
        if worker.pid is not None:
            self._forks.kill(worker.pid)

    # Events --------------------------------------------------------------------------------------

    def _on_worker(self, worker: _Worker, events: int) -> None:
        if events & selectors.EVENT_WRITE:
            self._write(worker)
        if not events & selectors.EVENT_READ or worker.gone:
            return
        try:
            data = worker.connection.recv(framing.CHUNK)
        except BlockingIOError:
            return
        except ConnectionResetError:
            data = b""
        if not data:
            worker.gone = True
            self._selector.unregister(worker.connection)
            return
        if worker.killed:
            return
        for payload in worker.frames.feed(data):
            self._on_answer(worker, framing.load(payload))

    def _on_answer(self, worker: _Worker, message: Any) -> None:
        worker.since = time.monotonic()
        if message == "open":
            worker.opened = True
            return
        number, packed = message
        if worker.killed or not worker.pending or worker.pending[0].number != number:
            return
        self._restarts = 0
        self._settle(worker.pending.popleft(), unpack_verdict(packed))
        if worker.straggler:
            self._kill(worker)

    def _write(self, worker: _Worker) -> None:
        if worker.gone:
            return
        try:
            while worker.out:
                sent = worker.connection.send(memoryview(worker.out)[: framing.CHUNK])
                del worker.out[:sent]
        except BlockingIOError:
            pass
        except (BrokenPipeError, ConnectionResetError):
            worker.out.clear()  # its end is read as the end of the stream
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if worker.out else 0)
        key = self._selector.get_key(worker.connection)
        if key.events != wanted:
            self._selector.modify(worker.connection, wanted, key.data)

    def _on_forks(self, _events: int) -> None:
        try:
            for message in self._forks.messages():
                if message[0] == "forked":
                    worker = self._forking.popleft()
                    worker.pid = message[1]
                    if worker.killed:
                        self._forks.kill(message[1])
                elif message[0] == "dead":
                    self._bury(message[1], message[2])
        except (EOFError, BrokenPipeError):
            self._restart()

    def _bury(self, pid: int, status: int) -> None:
        worker = next((w for w in self._workers if w.pid == pid), None)
        if worker is None:
            return
        if not worker.gone and not worker.killed:
            # Answers that it gave before it died may still be in the pipe.
            self._on_worker(worker, selectors.EVENT_READ)
        self._discard(worker, cause(status))

    def _discard(self, worker: _Worker, why: str) -> None:
        self._workers.remove(worker)
        if not worker.gone:
            self._selector.unregister(worker.connection)
        worker.connection.close()
        # The same round of events may still hold one of this worker's.
        worker.gone = True
        if not worker.opened and not worker.killed:
            self._count_restart(f"a worker died while it opened its verifiers: {why}")
        if not worker.pending:
            return
        self._take_back(worker)
        pending = worker.pending.popleft()
        pending.deaths += 1
        if pending.deaths < 2:
            self._pending.appendleft(pending)
        else:
            self._fail(pending, f"the worker died twice at this sample: {why}")

    def _restart(self) -> None:
        """The fork server died, and all workers with it: start again, at most `RESTARTS` times in a row."""
        self._selector.unregister(self._forks.control)
        self._forks.close()
        for worker in list(self._workers):
            self._discard(worker, "the process that makes workers died")
        self._forking.clear()
        self._count_restart("the process that makes workers died")
        self._forks = ForkClient(self.specs, self.memory_mb)
        self._selector.register(self._forks.control, selectors.EVENT_READ, self._on_forks)

    def _count_restart(self, why: str) -> None:
        self._restarts += 1
        if self._restarts > RESTARTS:
            raise PluginError(f"{why}, {self._restarts} times in a row")

    # Verdicts ------------------------------------------------------------------------------------

    def _hash(self, pending: PendingVerdict) -> str:
        return self.hashes.get(pending.verifier, "")

    def _fail(self, pending: PendingVerdict, reason: str) -> None:
        self._settle(pending, failed(pending.verifier, self._hash(pending), "infra_error", reason))

    def _settle(self, pending: PendingVerdict, verdict: Verdict) -> None:
        if pending.future.set_running_or_notify_cancel():
            pending.future.set_result(verdict)
