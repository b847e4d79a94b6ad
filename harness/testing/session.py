"""A session that writes down how a trainer uses it, and fails at once if the contract is broken.

It stands before any real session (in process or over a socket) and adds nothing but the record, so a
trainer is tested on what it will meet in a run.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.contract.errors import EngineError
from harness.contract.protocols import Engine, Slot
from harness.contract.records import Checkpoint, PolicyRef, Request, Rollout, RolloutKey, StepMetrics, Task
from harness.contract.samples import Group
from harness.contract.sessions import Batch, Directive, Generate, Session

#: What the session says when it is made to fail.
INJECTED = "the suite makes the session fail here"


class ContractBroken(AssertionError):
    """The trainer did what `harness.contract.sessions.Session` does not allow."""


class Crash(Exception):
    """What a test raises to end a run in the middle, as a kill would."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call of the trainer, with what went in or came out."""

    name: str
    stage: str
    step: int
    value: Any = None


class RecordingSession:
    """Delegates to a session and records (protocol `Session`)."""

    def __init__(
        self,
        session: Session,
        calls: list[Call],
        *,
        crash_after: int | None = None,
        exhaust_after: int | None = None,
        fail_after: int | None = None,
        hang_after: int | None = None,
        replay: Mapping[RolloutKey, Rollout] | None = None,
        disturbed: Callable[[Rollout], Rollout] | None = None,
    ) -> None:
        """
        Args:
            calls: the record, extended in place.
            crash_after: raise `Crash` when this step has been finished and its directive obeyed.
            exhaust_after: after this step there are no tasks.
            fail_after: after this step the session fails while it judges, with `INJECTED`.
            hang_after: after this step judging takes a minute.
            replay: recorded rollouts that stand in for those of a trainer that uses `collect`.
            disturbed: what becomes of each rollout before it is judged.
        """
        self._session, self.calls = session, calls
        self._crash_after, self._exhaust_after = crash_after, exhaust_after
        self._fail_after, self._hang_after = fail_after, hang_after
        self._replay, self._disturbed = replay, disturbed
        self._step = session.first_step + 1
        self._requested: list[Request] = []
        self._directive = Directive()
        self._tasks: set[str] = set()
        #: Samples that each task's slots asked for in this step.
        self._sizes: dict[str, set[int]] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    def _note(self, name: str, value: Any = None) -> None:
        self.calls.append(Call(name, self._session.stage.name, self._step, value))

    def _begin_work(self) -> None:
        due = self._directive
        for what, wanted in (("evaluate", due.evaluate), ("checkpoint", due.checkpoint)):
            if wanted:
                raise ContractBroken(f"the directive of step {self._step - 1} asked to {what}; nobody did")
        if due.stop is not None:
            raise ContractBroken(f"work after the session said stop: {due.stop}")
        if self._crash_after is not None and self._step > self._crash_after:
            raise Crash(f"after step {self._crash_after}")

    def _disturb(self) -> None:
        if self._fail_after is not None and self._step > self._fail_after:
            raise EngineError(INJECTED, where=f"step {self._step}")
        if self._hang_after is not None and self._step > self._hang_after:
            time.sleep(60)

    def next_tasks(self, count: int) -> Sequence[Task]:
        self._begin_work()
        if self._exhaust_after is not None and self._step > self._exhaust_after:
            return ()
        tasks = self._session.next_tasks(count)
        self._tasks |= {task.id for task in tasks}
        self._note("next_tasks", tuple(tasks))
        return tasks

    def slots(self, tasks: Sequence[Task]) -> Sequence[Slot]:
        slots = self._session.slots(tasks)
        for slot in slots:
            self._sizes.setdefault(slot.task.id, set()).add(len(slot.samples))
        return slots

    def requests(self, tasks: Sequence[Task]) -> Sequence[Sequence[Request]]:
        for task in tasks:
            if task.id not in self._tasks:
                raise ContractBroken(f"requests for task {task.id!r}, which this step was not given")
        requests = self._session.requests(tasks)
        self._note("requests", tuple(request for group in requests for request in group))
        return requests

    def offer(self, rollout: Rollout) -> None:
        self._check_asked([rollout])
        self._session.offer(self._as_returned(rollout))

    def _as_returned(self, rollout: Rollout) -> Rollout:
        return rollout if self._disturbed is None else self._disturbed(rollout)

    def _check_asked(self, rollouts: Sequence[Rollout]) -> None:
        asked = {r.key for call in self.calls if call.name == "requests" for r in call.value}
        for rollout in rollouts:
            if rollout.key not in asked:
                raise ContractBroken(f"a rollout with key {rollout.key}, which no request had")

    def submit(self, rollouts: Sequence[Rollout]) -> Sequence[Group]:
        self._check_asked(rollouts)
        for rollout in rollouts:
            if rollout.sampling != self._session.stage.rollout.sampling:
                raise ContractBroken(f"sampled with {rollout.sampling}, not as the stage says")
        self._disturb()
        groups = self._session.submit([self._as_returned(rollout) for rollout in rollouts])
        self._note("submit", tuple(groups))
        return groups

    def submit_outcomes(self, groups: Sequence[Group]) -> Sequence[Group]:
        for group in groups:
            if group.task not in self._tasks:
                raise ContractBroken(f"outcomes of task {group.task!r}, which this step was not given")
            asked = self._sizes.get(group.task, {self._session.stage.rollout.n})
            if group.size not in asked:
                sizes = " or ".join(map(str, sorted(asked)))
                raise ContractBroken(f"a group of {group.size}, not of {sizes}")
        self._disturb()
        kept = self._session.submit_outcomes(groups)
        self._note("submit_outcomes", tuple(kept))
        return kept

    def collect(self, generate: Generate) -> Batch:
        from harness.training.collecting import collect

        self._begin_work()
        batch = collect(self, generate if self._replay is None else self._recorded)
        self._note("collect", batch)
        return batch

    def _recorded(self, tasks: Sequence[Task]) -> list[Rollout]:
        assert self._replay is not None
        keys = [request.key for group in self.requests(tasks) for request in group]
        missing = next((key for key in keys if key not in self._replay), None)
        if missing is not None:
            raise ContractBroken(f"another rollout is asked for than was recorded: {missing}")
        # Groups count in the order of their arrival, which the record keeps.
        wanted = set(keys)
        return [rollout for key, rollout in self._replay.items() if key in wanted]

    def exhaust(self, reason: str) -> None:
        self._session.exhaust(reason)
        self._directive = Directive(stop=reason)
        self._note("exhaust", reason)

    def finish_step(self, metrics: StepMetrics) -> Directive:
        self._begin_work()
        if metrics.step != self._step:
            raise ContractBroken(f"finished step {metrics.step}; step {self._step} was due")
        self._note("finish_step", metrics)
        self._directive = self._session.finish_step(metrics)
        self._note("directive", self._directive)
        self._tasks.clear()
        self._sizes.clear()
        self._step += 1
        return self._directive

    def evaluate(self, engine: Engine) -> Mapping[str, float]:
        if not self._directive.evaluate:
            raise ContractBroken("evaluates without being asked to")
        self._directive = Directive(False, self._directive.checkpoint, self._directive.stop)
        scores = self._session.evaluate(engine)
        self._note("evaluate", dict(scores))
        return scores

    def save(self, write: Callable[[Path], PolicyRef]) -> Checkpoint:
        if self._directive.evaluate:
            raise ContractBroken("saves before it evaluates, though asked for both in that order")
        checkpoint = self._session.save(write)
        self._directive = Directive(False, False, self._directive.stop)
        self._note("save", checkpoint)
        return checkpoint
