"""Running a folder of hostile programs, and looking at what each left behind.

Every program answers "the sum of two integers"; its first line says how it is asked (`mode: stdin` or
`func`), which verdicts are right, and what it threatens. After each one, on the very slot it ran on:
the next harmless job passes and sees nothing of it, none of its processes lives, no listener on the
host was reached, and nothing it printed holds the host's secret.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from harness_sandbox.canary import Canary

from harness.contract import DataError, Job, Raw, Sandbox
from harness_code import cases, judge

PAIRS: Final = ((3, 4), (10, -2), (100, 200))
LIMITS: Final = cases.Limits(cpu_seconds=2, wall_seconds=10, memory_mb=400, output_bytes=1 << 20)
_HEADER: Final = re.compile(r"#\s*verdict:\s*([\w|]+)\s*;\s*mode:\s*(stdin|func)\s*;\s*threat:\s*(.*)")
#: What a job sees of those before it: names in writable places, processes, IPC, sockets.
_NEXT: Final = """
# harness-other-job-7319
import os
a, b = map(int, input().split())
print(a + b)
for folder in ("/tmp", "/dev/shm", "/dev/mqueue", os.getcwd()):
    if os.path.isdir(folder):
        print(folder, *os.listdir(folder))
for name in ("shm", "msg", "sem"):
    path = "/proc/sysvipc/" + name
    if os.path.exists(path):
        with open(path) as file:
            print(name, *file.read().splitlines()[1:])
mine = os.getuid()
print("processes", *[p for p in os.listdir("/proc") if p.isdigit() and p not in ("1", str(os.getpid()))])
"""


@dataclass(frozen=True, slots=True)
class Program:
    """One program of a corpus."""

    name: str
    source: str
    right: frozenset[str]
    mode: str
    threat: str


@dataclass(slots=True)
class Finding:
    """What one program came to."""

    program: Program
    verdict: str
    evidence: str
    #: What was wrong, its verdict or what it left behind; empty when it was contained.
    faults: list[str] = field(default_factory=list)


def load(folder: Path) -> list[Program]:
    """The programs of a folder, by name; raises DataError for a file without the first line."""
    programs = []
    for path in sorted(folder.glob("*.py")):
        source = path.read_text(encoding="utf-8")
        match = _HEADER.match(source)
        if match is None:
            raise DataError(
                "its first line does not say the verdicts that are right",
                where=str(path),
                allowed="# verdict: passed|wrong_answer ; mode: stdin|func ; threat: ...",
            )
        right = frozenset("pass" if name == "passed" else name for name in match[1].split("|"))
        programs.append(Program(path.stem, source, right, match[2], match[3].strip()))
    if not programs:
        raise DataError("no programs (*.py) are in it", where=str(folder))
    return programs


async def run(
    programs: Sequence[Program], sandboxes: Sequence[Sandbox], canary: Canary
) -> AsyncIterator[Finding]:
    """Findings as they come. Each sandbox has one slot, so that what follows a program is next to it."""
    waiting = asyncio.Queue[Program]()
    for program in programs:
        waiting.put_nowait(program)
    done: asyncio.Queue[Finding | BaseException] = asyncio.Queue()

    async def work(sandbox: Sandbox) -> None:
        try:
            while not waiting.empty():
                await done.put(await examine(waiting.get_nowait(), sandbox, canary))
        except BaseException as error:
            await done.put(error)
            raise

    tasks = [asyncio.create_task(work(sandbox)) for sandbox in sandboxes]
    try:
        for _ in programs:
            finding = await done.get()
            if isinstance(finding, BaseException):
                raise finding
            yield finding
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def examine(program: Program, sandbox: Sandbox, canary: Canary) -> Finding:
    """Run one program, then look at what it left."""
    heard = _Heard(sandbox)
    results = await judge.judge(program.source, _answer(program), heard, stop_at_failure=True)
    last = results[-1]
    finding = Finding(program, last.verdict, last.evidence)
    if last.verdict not in program.right:
        finding.faults.append(
            f"verdict {last.verdict}, right: {'|'.join(sorted(program.right))} ({last.evidence})"
        )
    if any(canary.secret.encode() in raw.stdout + raw.stderr + raw.result for raw in heard.raws):
        finding.faults.append("it read the host's secret")
    if any(_leaks(raw.stdout) for raw in heard.raws):
        finding.faults.append("it says that it read what it must not")
    finding.faults += await _aftermath(sandbox)
    finding.faults += canary.faults(sandbox)
    return finding


def _leaks(stdout: bytes) -> bool:
    return any(line.startswith(b"LEAK") for line in stdout.splitlines())


async def _aftermath(sandbox: Sandbox) -> list[str]:
    raw = await sandbox.run(Job(_NEXT, stdin=b"40 2\n", cpu_seconds=5, wall_seconds=15, memory_mb=256))
    lines = raw.stdout.decode("utf-8", "replace").splitlines()
    if raw.status != "ok" or not lines or lines[0] != "42":
        return [f"the next job failed: {raw.status} {raw.stdout[:100]!r} {raw.stderr[-200:]!r} {raw.reason}"]
    # A line with more than its title is something that was left.
    return [f"the next job sees {line[:200]}" for line in lines[1:] if len(line.split()) > 1]


def _answer(program: Program) -> cases.Answer:
    if program.mode == "func":
        calls = tuple(cases.Call((a, b), a + b) for a, b in PAIRS)
        return cases.Functional(entry_point="solve", tests=calls, limits=LIMITS)
    tests = tuple(cases.Case(f"{a} {b}\n", f"{a + b}\n") for a, b in PAIRS)
    return cases.Stdio(tests=tests, limits=LIMITS)


class _Heard:
    """A sandbox that keeps what came out of it."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self.raws: list[Raw] = []

    @property
    def width(self) -> int:
        return self._sandbox.width

    async def run(self, job: Job) -> Raw:
        raw = await self._sandbox.run(job)
        self.raws.append(raw)
        return raw

    def close(self) -> None:
        """Not ours to close."""
