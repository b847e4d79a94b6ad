"""The `code` verifier: the last fenced block of a completion, judged by its tests.

Every verifier of a process that asks for the same sandbox shares one pool of it, so that training,
measuring and evaluating side by side do not crowd each other's cores.
"""

from __future__ import annotations

import asyncio
import hashlib
import importlib.metadata
import threading
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Annotated, Literal

import harness_runner
from pydantic import Field

from harness.contract import BuildContext, DataError, Rollout, Sandbox, Status, Task, Verdict, digest, kind
from harness.recipe import Model, Plugin, Use
from harness_code import cases, judge, shared
from harness_code.checking import refuse_unfit
from harness_code.extract import last_block
from harness_code.results import TestResult
from harness_code.room import roomy


class CodeOptions(Model):
    """Where programs run, and when judging stops."""

    sandbox: Annotated[Plugin, kind("sandboxes")] = Use(name="auto")
    """Plugin of kind `sandboxes` that runs the programs. `auto` takes the best kind that works on this
    host."""
    run: Literal["first_failure", "all_tests"] = "first_failure"
    """`first_failure` stops at the first failed test, which is cheaper and enough for the reward
    `all_pass`. `all_tests` runs all of them, which the reward `fraction` needs (section 3.2 of arXiv
    2504.00829)."""
    thinking: Literal["prefilled", "model", "none"] = "none"
    """Where thinking ends. `prefilled`: the prompt has opened it already, so a response without a closing
    tag is all thinking. `model`: the model opens it itself. `none`: there are no thinking tags. The program
    is searched for behind it."""
    time_factor: float = Field(default=1.0, gt=0)
    """Multiplies the time limits of all tests, for hosts slower than those that the limits were made for."""


class CodeVerifier:
    """Judges programs in a sandbox. Thread-safe once open.

    A verifier of another benchmark's programs overrides how the program is found, what it is asked and
    how it is run; the sandbox, the verdict and its hash stay these.
    """

    name = "code"

    def __init__(self, options: CodeOptions, context: BuildContext) -> None:
        self._options, self._context = options, context
        self._lease: shared.Lease | None = None
        self.hash = digest(self.sources(), options.model_dump(exclude={"sandbox"}))

    def open(self) -> None:
        """Start the sandbox, or join the one that this process has already."""
        if self._lease is None:
            use = self._options.sandbox
            self._lease = shared.lease(self._context.build, use.name, use.options)

    def close(self) -> None:
        lease, self._lease = self._lease, None
        if lease is not None:
            lease.release()

    def check(self, task: Task) -> str | None:
        """Why the task's tests say nothing of a program, None if they do."""
        try:
            self.count(task)
        except DataError as error:
            return error.what
        return None

    def verify(self, task: Task, rollout: Rollout) -> Verdict:
        """Judge a completion; blocks until all requested tests are run."""
        return self.submit(task, rollout).result()

    def submit(self, task: Task, rollout: Rollout) -> Future[Verdict]:
        """Judge a completion in the background; many may be under way at once."""
        return asyncio.run_coroutine_threadsafe(self.averify(task, rollout), _loop())

    async def averify(self, task: Task, rollout: Rollout) -> Verdict:
        """As `verify`, for callers with an event loop of their own: many may be under way at once."""
        if self._lease is None:
            raise RuntimeError("the verifier is not open")
        started = time.monotonic()
        total = self.count(task)
        spoken = self._spoken(rollout)
        if spoken is None:
            return self._verdict("no_answer", 0.0, None, [], total, started, "thinking never ended")
        program = self.program(spoken)
        if program is None:
            return self._verdict("no_answer", 0.0, None, [], total, started, "no fenced block")
        results = await self.run(program, task, self._lease.sandbox)
        status, score, reason = summary(results, total)
        return self._verdict(status, score, program, results, total, started, reason)

    def _spoken(self, rollout: Rollout) -> str | None:
        """What was said after thinking; None if thinking never ended."""
        if self._options.thinking == "none":
            return rollout.text
        from harness_math.extract import after_thinking

        return after_thinking(rollout.text, self._options.thinking)

    # What is this verifier's own -----------------------------------------------------------------

    def program(self, spoken: str) -> str | None:
        """The program of an answer; None if there is none."""
        return last_block(spoken)

    def count(self, task: Task) -> int:
        """How many tests a task has; raises DataError if its answer does not fit."""
        return judge.count(self._answer(task))

    async def run(self, program: str, task: Task, sandbox: Sandbox) -> list[TestResult]:
        """The results of a program's tests, in order."""
        stop = self._options.run == "first_failure"
        answer = _slower(roomy(self._answer(task)), self._options.time_factor)
        return await judge.judge(program, answer, sandbox, stop_at_failure=stop)

    def sources(self) -> str:
        """Hash of the code that decides."""
        return sources_of(Path(__file__).parent)

    def _answer(self, task: Task) -> cases.Answer:
        where = f"task {task.id!r}"
        answer = cases.parse(task.answer, where=where)
        refuse_unfit(answer, where=where)
        return answer

    def _verdict(
        self,
        status: Status,
        score: float | None,
        program: str | None,
        results: Sequence[TestResult],
        total: int,
        started: float,
        reason: str,
    ) -> Verdict:
        kinds: Counter[str] = Counter(result.verdict for result in results)
        kinds["weak"] = sum(result.weak for result in results)
        kinds["asserted"] = sum(result.asserted for result in results)
        return Verdict(
            status=status,
            score=score,
            verifier=self.name,
            verifier_hash=self.hash,
            extracted=program,
            reason=reason,
            parts=tuple((name, float(n)) for name, n in sorted(kinds.items()) if n),
            tests_run=len(results),
            tests_passed=sum(result.passed for result in results),
            tests_total=total,
            complete=len(results) == total or status in ("pass", "no_answer"),
            seconds=time.monotonic() - started,
        )


def summary(results: Sequence[TestResult], total: int) -> tuple[Status, float | None, str]:
    """Status, score and reason of a program from its tests' results.

    The score is the share of tests passed. One test that could not be run makes the whole verdict an
    `infra_error`: a share of what happened to run is not evidence.
    """
    broken = next((result for result in results if result.verdict == "infra_error"), None)
    if broken is not None:
        return "infra_error", None, broken.evidence
    if not results:
        return "fail", 0.0, "no test ran"
    passed = sum(result.passed for result in results)
    failure = next(((n, r) for n, r in enumerate(results, 1) if not r.passed), None)
    if failure is None:
        return "pass", 1.0, ""
    number, first = failure
    reason = f"test {number} of {total}: {first.verdict}: {first.evidence}"
    if passed and len(results) == total:
        return "partial", passed / total, reason
    status: Status = "timeout" if first.verdict == "time_limit" and not passed else "fail"
    return status, passed / total, reason


def _slower(answer: cases.Answer, factor: float) -> cases.Answer:
    if factor == 1.0:
        return answer
    import dataclasses

    import msgspec

    limits = dataclasses.replace(
        answer.limits,
        cpu_seconds=answer.limits.cpu_seconds * factor,
        wall_seconds=answer.limits.wall_seconds * factor,
    )
    return msgspec.structs.replace(answer, limits=limits)


def sources_of(*folders: Path) -> str:
    """Hash of these folders' modules, of the server's, and of the library that reads Markdown."""
    known = hashlib.blake2b(importlib.metadata.version("markdown-it-py").encode(), digest_size=8)
    for folder in (*folders, Path(harness_runner.__file__).parent):
        for path in sorted(folder.glob("*.py")):
            known.update(path.name.encode() + path.read_bytes())
    return known.hexdigest()


_running: list[asyncio.AbstractEventLoop] = []
_starting = threading.Lock()


def _loop() -> asyncio.AbstractEventLoop:
    """The process's event loop for callers that have none."""
    with _starting:
        if not _running:
            loop = asyncio.new_event_loop()
            threading.Thread(target=loop.run_forever, name="code-verifier", daemon=True).start()
            _running.append(loop)
        return _running[0]
