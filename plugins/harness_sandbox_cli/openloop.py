"""Whether a host keeps up with a rate: programs arrive when they arrive, not when the last one is done.

Arrivals are a Poisson process, and a latency counts from the moment a program was due: a host that falls
behind shows it, whereas a loop of clients would only ask more slowly. CPU is counted where it is spent
(in servers and jobs, in this process, in the engine), so that other work on the machine weighs on
latencies.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from harness_code import cases, judge
from harness_sandbox.pool import SandboxPool

from harness.contract import Job, Raw
from harness.support import percent, process, processor
from harness_sandbox_cli.workload import Work

#: Share of a core that a slot may be busy for on average: beyond, waits grow without bound.
UTILISATION: Final = 0.7
#: Seconds for which arrivals may still be finished after the last one.
DRAIN: Final = 180.0
_ENGINE: Final = frozenset({"dockerd", "containerd", "containerd-shim", "containerd-shim-r"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What was measured. Times are in milliseconds, rates per second."""

    kind: str
    slots: int
    cores: int
    cpu: str
    workload: str
    rate: float
    seconds: float
    stopped_at_failure: bool
    #: Programs that came, and those that were judged in time; tests and CPU are of these.
    programs: int
    judged: int
    tests: int
    executions: int
    programs_per_s: float
    tests_per_s: float
    latency_p50: float
    latency_p99: float
    queue_mean: float
    queue_p99: float
    #: Executions that waited when the last program arrived, and the most that ever did.
    waiting_at_end: int
    waiting_most: int
    #: CPU of one program: in the sandbox, in this process (judging), in the engine.
    cpu_sandbox: float
    cpu_judge: float
    cpu_engine: float
    #: Share of the sandbox's CPU that went to tests which ran into their time limit.
    cpu_limit: float
    #: Share of their time that slots were at jobs.
    busy: float
    kept_up: bool
    infra_errors: int
    verdicts: dict[str, int] = field(default_factory=dict)

    @property
    def cpu_program(self) -> float:
        """CPU of one program in all, in milliseconds."""
        return self.cpu_sandbox + self.cpu_judge + self.cpu_engine

    @property
    def cpu_test(self) -> float:
        """CPU of one test, in milliseconds."""
        return self.cpu_program * self.judged / max(self.tests, 1)

    @property
    def cores_needed(self) -> float:
        """Cores for this rate at `UTILISATION`."""
        return self.rate * self.cpu_program / 1000 / UTILISATION

    def lines(self) -> list[tuple[str, str]]:
        """For people."""
        verdicts = ", ".join(f"{n} {name}" for name, n in sorted(self.verdicts.items(), key=lambda v: -v[1]))
        return [
            ("workload", self.workload),
            ("kind, slots, cores", f"{self.kind}, {self.slots}, {self.cores}"),
            ("programs asked per second", f"{self.rate:g} for {self.seconds:g} s: {self.programs}"),
            ("programs done per second", f"{self.programs_per_s:.1f}"),
            ("tests done per second", f"{self.tests_per_s:.1f} ({self.executions} executions)"),
            ("latency p50, p99, ms", f"{self.latency_p50:.0f}, {self.latency_p99:.0f}"),
            ("queue wait mean, p99, ms", f"{self.queue_mean:.0f}, {self.queue_p99:.0f}"),
            ("waiting at the end, most", f"{self.waiting_at_end}, {self.waiting_most}"),
            ("slots busy", percent(self.busy, 0)),
            (
                "CPU per program, ms",
                f"{self.cpu_program:.1f} (sandbox {self.cpu_sandbox:.1f}, judge {self.cpu_judge:.1f}, "
                f"engine {self.cpu_engine:.1f})",
            ),
            ("CPU per test, ms", f"{self.cpu_test:.1f} ({percent(self.cpu_limit, 0)} of it at time limits)"),
            ("cores needed", f"{self.cores_needed:.1f} at {percent(UTILISATION, 0)} use"),
            ("verdicts", verdicts),
            ("keeps up", "yes" if self.kept_up else f"NO, with {self.rate:g} programs per second"),
        ]

    def values(self) -> dict[str, Any]:
        """For a file."""
        return asdict(self)


class _Counting:
    """A sandbox that notes how long executions waited."""

    def __init__(self, pool: SandboxPool) -> None:
        self._pool = pool
        self.queued: list[float] = []
        self.infra_errors = 0
        self.pending = 0
        #: CPU seconds of executions that ran into their time limit.
        self.cpu_limit = 0.0
        #: CPU seconds of all executions.
        self.cpu = 0.0

    @property
    def width(self) -> int:
        return self._pool.width

    def program(self) -> _Program:
        """The same sandbox for one program."""
        return _Program(self)

    async def run(self, job: Job) -> Raw:
        asked = time.monotonic()
        self.pending += 1
        try:
            raw = await self._pool.run(job)
        finally:
            self.pending -= 1
        # Waiting for room in the queue is waiting, too.
        spent = time.monotonic() - asked
        self.queued.append(max(raw.queue_s, min(spent - raw.wall_s, spent)))
        self.infra_errors += raw.status == "infra_error"
        self.cpu += raw.cpu_s
        self.cpu_limit += raw.cpu_s if raw.status == "time_limit" else 0.0
        return raw

    def close(self) -> None: ...


class _Program:
    """A sandbox that adds up what one program took."""

    def __init__(self, sandbox: _Counting) -> None:
        self._sandbox = sandbox
        self.width = sandbox.width
        self.cpu = 0.0

    async def run(self, job: Job) -> Raw:
        raw = await self._sandbox.run(job)
        self.cpu += raw.cpu_s
        return raw

    def close(self) -> None: ...


async def measure(
    pool: SandboxPool,
    works: Sequence[Work],
    workload: str,
    *,
    rate: float,
    seconds: float,
    stop_at_failure: bool = True,
    seed: int = 0,
    drain: float = DRAIN,
) -> Figures:
    """Let programs arrive at `rate` a second for so many seconds, and judge each.

    Those that are not judged `drain` seconds after that are given up. What judging raises is raised.
    """
    draw = random.Random(seed)
    answers = {work.name: cases.parse(work.answer, where=work.name) for work in works}
    sandbox = _Counting(pool)
    width = pool.options.width
    # Servers are started and warm before the clock is.
    await asyncio.gather(*[pool.run(Job("print(1)", memory_mb=128)) for _ in range(4 * width)])
    verdicts: Counter[str] = Counter()
    latencies: list[float] = []
    tests, cpu = 0, 0.0

    async def one(work: Work, due: float) -> None:
        nonlocal tests, cpu
        place = sandbox.program()
        results = await judge.judge(work.program, answers[work.name], place, stop_at_failure=stop_at_failure)
        cpu += place.cpu
        latencies.append(time.monotonic() - due)
        tests += len(results)
        failure = next((result.verdict for result in results if not result.passed), "pass")
        verdicts[failure] += 1

    before, engine = (pool.busy_s, pool.stats.cpu_s), _engine_cpu()
    ours, started = time.process_time(), time.monotonic()
    tasks: list[asyncio.Task[None]] = []
    due, most = started, 0
    while due - started < seconds:
        await asyncio.sleep(max(due - time.monotonic(), 0))
        tasks.append(asyncio.create_task(one(works[len(tasks) % len(works)], due)))
        most = max(most, sandbox.pending - width)
        due += draw.expovariate(rate)
    await asyncio.sleep(max(started + seconds - time.monotonic(), 0))
    at_end, spent = max(sandbox.pending - width, 0), time.monotonic() - started
    busy = (pool.busy_s - before[0]) / (spent * width)
    done, done_tests = len(latencies), tests
    ended, late = await asyncio.wait(tasks, timeout=drain)
    # Servers' own CPU is shared out as that of programs is, so that those given up take theirs along.
    used = pool.stats.cpu_s - before[1]
    of_judged = used * (cpu / sandbox.cpu if sandbox.cpu else 1.0)
    judging, engine = time.process_time() - ours, _engine_cpu() - engine
    for task in late:
        task.cancel()
    await asyncio.gather(*late, return_exceptions=True)
    failures = [error for task in ended if (error := task.exception()) is not None]
    if failures:
        raise failures[0]
    judged = max(len(latencies), 1)  # of which all sums below are means
    # What is in the queue must be less than a second's work.
    all_judged = not late and len(latencies) == len(tasks)
    kept_up = all_judged and not sandbox.infra_errors and at_end <= max(2 * width, done_tests / spent)
    return Figures(
        kind=pool.kind,
        slots=width,
        cores=len(os.sched_getaffinity(0)),
        cpu=processor(),
        workload=workload,
        rate=rate,
        seconds=seconds,
        stopped_at_failure=stop_at_failure,
        programs=len(tasks),
        judged=len(latencies),
        tests=tests,
        executions=len(sandbox.queued),
        programs_per_s=done / spent,
        tests_per_s=done_tests / spent,
        latency_p50=1e3 * _quantile(latencies, 0.5),
        latency_p99=1e3 * _quantile(latencies, 0.99),
        queue_mean=1e3 * sum(sandbox.queued) / max(len(sandbox.queued), 1),
        queue_p99=1e3 * _quantile(sandbox.queued, 0.99),
        waiting_at_end=at_end,
        waiting_most=max(most, 0),
        cpu_sandbox=1e3 * of_judged / judged,
        cpu_judge=1e3 * judging / judged,
        cpu_engine=1e3 * engine / judged if pool.kind.startswith("docker") else 0.0,
        cpu_limit=sandbox.cpu_limit / max(used, 1e-9),
        busy=busy,
        kept_up=kept_up,
        infra_errors=sandbox.infra_errors,
        verdicts=dict(verdicts),
    )


def _quantile(values: Sequence[float], share: float) -> float:
    return sorted(values)[min(int(len(values) * share), len(values) - 1)] if values else 0.0


def _engine_cpu() -> float:
    """CPU seconds of the engine's processes on this host so far; others may use the engine, too."""
    seconds = 0.0
    for name in filter(str.isdecimal, os.listdir("/proc")):
        with contextlib.suppress(PermissionError):
            one = process(int(name))
            if one is not None and one.name in _ENGINE:
                seconds += one.cpu_seconds
    return seconds
