"""What both graders share: a task's tests, read when they are needed and not before.

Tests of one problem may be hundreds of MB, so few problems are under way at a time, and no more are held.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import threading
from decimal import Decimal
from pathlib import Path
from typing import Any

import harness_code
import msgspec
from harness_code import cases
from harness_code.results import TestResult
from harness_code.verifier import CodeVerifier, sources_of
from harness_sandbox.exchange import MAX_OUTPUT, MAX_RESULT

from harness.contract import BuildContext, DataError, Sandbox, Task
from harness.scoring import Room
from harness_livecodebench.options import GraderOptions
from harness_livecodebench.store import Store, Test

#: Seconds of CPU and of the clock for a test when tests are tried first.
PROBE_SECONDS = 0.1
PROBE_WALL_SECONDS = 3.0


class LcbAnswer(
    msgspec.Struct, frozen=True, tag_field="kind", tag="livecodebench", forbid_unknown_fields=True
):
    """What a task of the benchmark holds: its tests by name."""

    tests: str
    count: int
    entry_point: str | None = None


def value_of(text: str) -> Any:
    """A JSON value, with integers of any length; raises ValueError for what is none."""
    return json.loads(text, parse_int=_integer)


def _integer(digits: str) -> int:
    """Python reads no more than 4,300 digits by itself."""
    return int(digits) if len(digits) <= 4300 else int(Decimal(digits))


class Grader(CodeVerifier):
    """A verifier of the benchmark's tasks; see `strict` and `reference`."""

    def __init__(self, options: GraderOptions, context: BuildContext) -> None:
        super().__init__(options, context)
        self._lcb = options
        self._store = Store(context.cache)
        self._lock = threading.Lock()
        self._room: Room | None = None

    def sources(self) -> str:
        own = Path(__file__).parent
        return f"{self.name} {sources_of(own, Path(harness_code.__file__).parent)}"

    def count(self, task: Task) -> int:
        return self._asked(task).count

    async def run(self, program: str, task: Task, sandbox: Sandbox) -> list[TestResult]:
        asked = self._asked(task)
        async with self._limited(sandbox).held():
            tests = await asyncio.to_thread(self._store.get, asked.tests)
            if len(tests) != asked.count:
                raise DataError(f"has {len(tests)} tests, not {asked.count}", where=f"task {task.id!r}")
            return await self.grade(program, asked.entry_point, tests, sandbox)

    async def grade(
        self, program: str, entry_point: str | None, tests: list[Test], sandbox: Sandbox
    ) -> list[TestResult]:
        """The results of these tests, in order."""
        raise NotImplementedError

    def limits(self, tests: list[Test], *, probe: bool = False) -> cases.Limits:
        """Limits of one test; what is right always has room.

        Tests that share a process all run before the first is judged, so a wrong program would take its
        time for all of them. With `probe` they get little: who fails one before the time is up is wrong,
        and only who does not is asked again.
        """
        seconds = self._lcb.seconds * self._lcb.time_factor
        wall = 3 * seconds
        if probe:
            # Little CPU, but no hurry: on a busy host the clock would end what is quick.
            seconds, wall = min(seconds, PROBE_SECONDS), min(wall, PROBE_WALL_SECONDS)
        longest = max((len(right) for _, right in tests), default=0)
        base = cases.Limits()
        return dataclasses.replace(
            base, cpu_seconds=seconds, wall_seconds=wall, memory_mb=self._lcb.memory_mb,
            output_bytes=min(base.output_bytes + 4 * longest, MAX_OUTPUT),
            result_bytes=min(base.result_bytes + 4 * sum(len(right) for _, right in tests), MAX_RESULT),
        )  # fmt: skip

    def _asked(self, task: Task) -> LcbAnswer:
        try:
            asked = msgspec.convert(task.answer, LcbAnswer)
            if asked.count < 1:
                raise DataError("has no tests: every program would pass", where=f"task {task.id!r}")
            return asked
        except msgspec.ValidationError as error:
            raise DataError(f"not a task of LiveCodeBench: {error}", where=f"task {task.id!r}") from None

    def _limited(self, sandbox: Sandbox) -> Room:
        with self._lock:
            if self._room is None:
                self._room = Room(self._lcb.under_way or 2 * sandbox.width)
            return self._room
