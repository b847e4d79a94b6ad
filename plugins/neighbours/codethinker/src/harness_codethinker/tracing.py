"""Traces of programs: what a run of each assigned, one step after the other, and what it printed.

Programs run in a sandbox under its tracer (`Job.trace`), many in one job, each as a function. A step is
`name=value`, one for each variable that a line changed.
"""

from __future__ import annotations

import asyncio
import json
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

from harness.contract import DataError, Job, Raw, Sandbox


class Trace(NamedTuple):
    """What a program did."""

    #: `name=value`, in the order of execution.
    steps: tuple[str, ...]
    #: What it printed, without the line end.
    printed: str

    @property
    def told(self) -> str:
        """The completion that tells it: a line per step, and `>` with what was printed."""
        return "\n".join([*self.steps, f">{self.printed}"])


def traced(sandbox: Sandbox, programs: Sequence[str], *, seconds: float = 60.0) -> list[Trace]:
    """The trace of each program, which prints one line.

    Raises:
        DataError: the sandbox failed, a program did, or one of them ended or forged its trace.
    """
    # A source is asked without an event loop or within one: the sandbox gets a loop of its own.
    job, starts = _job(programs, seconds)
    with ThreadPoolExecutor(1) as thread:
        raw = thread.submit(asyncio.run, sandbox.run(job)).result()
    return read(raw, programs, starts)


def _job(programs: Sequence[str], seconds: float) -> tuple[Job, list[int]]:
    """One program that calls each as a function, and the line that each function begins at."""
    lines: list[str] = []
    starts = []
    for number, program in enumerate(programs):
        starts.append(len(lines) + 1)
        lines.append(f"def p{number}():")
        lines += [f" {line}" for line in program.splitlines()]
        lines.append(f"p{number}()")
    code = "\n".join(lines) + "\n"
    return Job(code, cpu_seconds=seconds, wall_seconds=2 * seconds, trace=True), starts


def read(raw: Raw, programs: Sequence[str], starts: Sequence[int]) -> list[Trace]:
    """The traces in what came back.

    Raises:
        DataError: as `traced`.
    """
    where = f"sandbox, {len(programs)} programs"
    if raw.status != "ok":
        words = raw.stderr.decode(errors="replace").strip().splitlines()
        why = raw.reason or (words[-1] if words else "")
        raise DataError(f"the programs ended with {raw.status!r}: {why}", where=where)
    if raw.untraced:
        raise DataError(
            f"there is no trace: {raw.untraced}", where=where,
            hint="a program that reaches for its tracer teaches nothing; leave it out",
        )  # fmt: skip
    printed = raw.stdout.decode(errors="replace").splitlines()
    if len(printed) != len(programs):
        raise DataError(f"printed {len(printed)} lines", where=where, allowed="one line per program")
    steps: list[list[str]] = [[] for _ in programs]
    before: Mapping[str, Any] = {}
    current = -1
    for line in raw.trace.splitlines():
        record = json.loads(line)
        if record["depth"] != 2:
            continue
        number = bisect_right(starts, record.get("line") or record["return"]) - 1
        if number != current:
            current, before = number, {}
        values = record["values"]
        steps[number] += [f"{n}={v}" for n, v in values.items() if n not in before or before[n] != v]
        before = values
    return [Trace(tuple(made), said) for made, said in zip(steps, printed, strict=True)]
