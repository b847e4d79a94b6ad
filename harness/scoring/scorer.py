"""The scorer: pairs of task and rollout in, verdicts out, in order or as they come."""

from __future__ import annotations

import contextlib
import itertools
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import CancelledError, Future
from types import TracebackType
from typing import Final, Self

from harness.contract.errors import HarnessError, UnknownName, near
from harness.contract.members import member
from harness.contract.protocols import Verifier
from harness.contract.records import Rollout, Task, Verdict
from harness.scoring.judge import checked, describe, failed, given_up, judge
from harness.scoring.packing import Packer
from harness.scoring.pool import PendingVerdict, Pool
from harness.scoring.room import Room
from harness.scoring.spec import VerifierSpec, build, hash_of

#: Samples under way in the pool; whoever brings more waits.
QUEUE: Final = 512
MEMORY_MB: Final = 4096


class Scorer:
    """Judges rollouts with the verifiers their tasks name.

    Args:
        verifiers: specs by the name that tasks use.
        workers: worker processes for verifiers that are not `in_process`; started at first use.
        deadline: seconds (wall) that one sample may take in a worker.
        memory_mb: address space of each worker, in MiB.
    """

    def __init__(
        self,
        verifiers: Mapping[str, VerifierSpec],
        *,
        workers: int = 2,
        deadline: float = 5.0,
        memory_mb: int = MEMORY_MB,
    ) -> None:
        if workers < 1 or deadline <= 0:
            raise ValueError(f"workers must be >= 1 and deadline > 0, not {workers} and {deadline}")
        self.specs = dict(verifiers)
        self.workers, self.deadline, self.memory_mb = workers, deadline, memory_mb
        self._inline: dict[str, tuple[Verifier, str]] = {}
        self._pool: Pool | None = None
        self._numbers = itertools.count()
        self._packer = Packer()
        self._lock = threading.RLock()
        self._room = Room(QUEUE)
        self._closed = False

    def score_many(self, pairs: Sequence[tuple[Task, Rollout]]) -> list[Verdict]:
        """One verdict per pair, in the same order.

        Raises:
            UnknownName: a task names a verifier that this scorer was not given.
            PluginError, RecipeError: a verifier cannot be built.
        """
        for task, _ in pairs:
            self._spec(task)
        return [future.result() for future in [self.begin(task, rollout) for task, rollout in pairs]]

    def begin(self, task: Task, rollout: Rollout) -> Future[Verdict]:
        """Start judging while the caller goes on, with the next completion for one; waits for room.

        Raises:
            UnknownName: the task names a verifier that this scorer was not given.
            PluginError, RecipeError: a verifier cannot be built.
        """
        spec = self._spec(task)
        if rollout.finish == "abort" or spec.in_process:
            future: Future[Verdict] = Future()
            future.set_result(self._at_once(task, rollout))
            return future
        self._room.ticket().result()
        try:
            start = self._hand_over if spec.submits else self._pooled
            return start(task, rollout, lambda _: self._room.leave())
        except BaseException:
            self._room.leave()
            raise

    def submit(self, task: Task, rollout: Rollout, done: Callable[[Verdict], None]) -> None:
        """Judge and call `done`, at once or later from another thread; bounding what is under way is the
        caller's.

        Raises:
            UnknownName: the task names a verifier that this scorer was not given.
        """
        if rollout.finish == "abort" or self._spec(task).in_process:
            done(self._at_once(task, rollout))
        elif self._spec(task).submits:
            self._hand_over(task, rollout, done)
        else:
            self._pooled(task, rollout, done)

    def start(self) -> None:
        """Begin to make the workers' process, and the sandboxes of verifiers that have their own, while the
        caller does something else. What goes wrong is raised where they are first needed."""
        if all(spec.in_process for spec in self.specs.values()):
            return

        def open_early() -> None:
            with contextlib.suppress(HarnessError, ValueError):
                for name, spec in self.specs.items():
                    if spec.submits:
                        self._opened(name)
                if not all(spec.in_driver for spec in self.specs.values()):
                    self._open_pool()

        threading.Thread(target=open_early, name="harness-scoring-start", daemon=True).start()

    def hashes(self) -> dict[str, str]:
        """Each verifier's hash by name; builds what is not yet built.

        Raises:
            HarnessError: a verifier's sandbox cannot be had. Here everything begins that asks for verdicts,
                and a whole run of infra errors is worth nothing.
        """
        for name, spec in self.specs.items():
            if spec.submits:
                self._insist(name)
        inline = {n: hash_of(self._verifier(n)[0]) for n, spec in self.specs.items() if spec.in_driver}
        pooled = self._open_pool().hashes if len(inline) < len(self.specs) else {}
        return {name: inline.get(name) or pooled.get(name, "") for name in self.specs}

    def close(self) -> None:
        """End the workers. Samples that are still under way become `infra_error`."""
        with self._lock:
            self._closed = True
            if self._pool is not None:
                self._pool.close()
            for verifier, problem in self._inline.values():
                if not problem:
                    verifier.close()
            self._inline.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _spec(self, task: Task) -> VerifierSpec:
        spec = self.specs.get(task.verifier)
        if spec is None:
            raise UnknownName(
                f"no verifier {task.verifier!r} in this run",
                where=f"task {task.id!r}",
                allowed=near(task.verifier, self.specs),
            )
        return spec

    def _pooled(self, task: Task, rollout: Rollout, done: Callable[[Verdict], None]) -> Future[Verdict]:
        pending = PendingVerdict(next(self._numbers), task.verifier, b"")
        pending.future.add_done_callback(lambda future: None if future.cancelled() else done(future.result()))
        try:
            pending.content = self._packer.pack(task, rollout, tokens=self._spec(task).tokens)
            self._open_pool().submit(pending)
        except BaseException:
            pending.future.cancel()
            raise
        return pending.future

    def _open_pool(self) -> Pool:
        with self._lock:
            if self._closed:
                raise ValueError("the scorer is closed")
            if self._pool is None:
                specs = {name: spec for name, spec in self.specs.items() if not spec.in_driver}
                self._pool = Pool(
                    specs, workers=self.workers, deadline=self.deadline, memory_mb=self.memory_mb
                )
            return self._pool

    def _at_once(self, task: Task, rollout: Rollout) -> Verdict:
        """The verdict of an in-process verifier; what the engine gave up is never given to any verifier."""
        if rollout.finish == "abort":
            return failed(task.verifier, self._hash(task.verifier), "infra_error", given_up(rollout))
        verifier, problem = self._opened(task.verifier)
        if problem:
            return failed(task.verifier, hash_of(verifier), "infra_error", problem)
        return judge(verifier, task, rollout)

    def _hand_over(self, task: Task, rollout: Rollout, done: Callable[[Verdict], None]) -> Future[Verdict]:
        """Ask a verifier that judges many at a time on its own, in sandboxes of its own."""
        verifier, problem = self._opened(task.verifier)
        future: Future[Verdict] = Future()
        future.add_done_callback(lambda settled: done(settled.result()))

        def settle(asked: Future[Verdict]) -> None:
            try:
                if asked.cancelled():
                    raise CancelledError("it was cancelled")
                verdict = checked(asked.result())
            except BaseException as error:  # noqa: BLE001 - a verifier's fault is a status, not a crash
                verdict = failed(task.verifier, hash_of(verifier), "infra_error", describe(error))
            future.set_result(verdict)

        if problem:
            future.set_result(failed(task.verifier, hash_of(verifier), "infra_error", problem))
        else:
            asked: Future[Verdict] = member("verifiers", verifier, "submit")(task, rollout)
            asked.add_done_callback(settle)
        return future

    def _hash(self, name: str) -> str:
        """A verifier's hash; "" if it cannot be opened, which the first sample that it is asked of says."""
        if self.specs[name].in_driver:
            return hash_of(self._opened(name)[0])
        return self._open_pool().hashes.get(name, "")

    def _opened(self, name: str) -> tuple[Verifier, str]:
        with self._lock:
            return self._verifier(name)

    def _insist(self, name: str) -> None:
        """Open a verifier, or raise what keeps it from opening."""
        with self._lock:
            verifier, problem = self._verifier(name)
            if problem:
                verifier.open()
                self._inline[name] = (verifier, "")

    def _verifier(self, name: str) -> tuple[Verifier, str]:
        """An opened inline verifier, and why it could not be opened."""
        if self._closed:
            raise ValueError("the scorer is closed")
        if name not in self._inline:
            verifier, problem = build(self.specs[name], self.specs), ""
            try:
                verifier.open()
            except Exception as error:  # noqa: BLE001 - reported on each of its verdicts
                problem = f"open failed: {describe(error)}"
            self._inline[name] = (verifier, problem)
        return self._inline[name]
