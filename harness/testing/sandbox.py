"""What every sandbox must do."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

import pytest

from harness.contract.programs import Job, Raw, Sandbox
from harness.testing.plugin import Build


class SandboxConformance:
    """Subclass with the registered name and options."""

    name: ClassVar[str]
    options: ClassVar[Mapping[str, Any]] = {}
    #: Whether a job is kept from the files that another one wrote.
    isolated: ClassVar[bool] = True
    #: Wall seconds that a job may take which ends at once, its place in a queue included.
    patience: ClassVar[float] = 30.0

    @pytest.fixture
    def sandbox(self, harness_build: Build) -> Iterator[Sandbox]:
        made: Sandbox = harness_build("sandboxes", self.name, **self.options)
        yield made
        made.close()

    def run(self, sandbox: Sandbox, *jobs: Job) -> Sequence[Raw]:
        """What becomes of jobs that are started together."""

        async def all_of() -> Sequence[Raw]:
            return await asyncio.gather(*(sandbox.run(job) for job in jobs))

        return asyncio.run(all_of())

    def job(self, code: str, **how: Any) -> Job:
        limits: dict[str, Any] = {"memory_mb": 256, "cpu_seconds": 5.0, "wall_seconds": self.patience}
        return Job(code, **(limits | how))

    def test_a_program_reads_and_writes(self, sandbox: Sandbox) -> None:
        (raw,) = self.run(sandbox, self.job("print(int(input()) + int(input()))", stdin=b"40\n2\n"))
        assert raw.status == "ok", raw
        assert raw.exit == 0
        assert raw.stdout == b"42\n"
        assert raw.wall_s > 0

    def test_a_program_that_fails_says_so(self, sandbox: Sandbox) -> None:
        codes = {"import sys; sys.exit(3)": 3, "raise ValueError('no')": 1}
        raws = self.run(sandbox, *map(self.job, codes))
        for raw, code in zip(raws, codes.values(), strict=True):
            assert raw.status == "error", f"exit code {code} came back as {raw.status!r}: {raw}"
            assert raw.exit == code
        assert b"ValueError" in raws[1].stderr, "its traceback is lost"

    def test_calls_give_a_line_per_value(self, sandbox: Sandbox) -> None:
        code = "def add(a, b):\n    return a + b\n"
        (raw,) = self.run(sandbox, self.job(code, entry_point="add", calls=[[40, 2], ["4", "2"]]))
        assert raw.status == "ok", raw
        values = [line["ok"] for line in map(json.loads, raw.result.splitlines()) if "ok" in line]
        assert values == [42, "42"], f"the values of two calls came back as {raw.result!r}"

    def test_time_is_limited(self, sandbox: Sandbox) -> None:
        idle = self.job("import time; time.sleep(600)", wall_seconds=0.5)
        busy = self.job("while True: pass", cpu_seconds=0.5)
        for raw, what in zip(self.run(sandbox, idle, busy), ("wall", "CPU"), strict=True):
            assert raw.status == "time_limit", f"a limit of {what} seconds came back as {raw.status!r}: {raw}"
            assert raw.wall_s < self.patience

    def test_output_is_limited(self, sandbox: Sandbox) -> None:
        (raw,) = self.run(sandbox, self.job("print('x' * 100_000)", output_bytes=1000))
        assert raw.status == "output_limit", f"too much output came back as {raw.status!r}"
        assert len(raw.stdout) <= 1000

    def test_jobs_do_not_meet(self, sandbox: Sandbox) -> None:
        """More jobs than fit at once: each gets its own input and its own output."""
        assert sandbox.width >= 1, f"width is {sandbox.width}"
        jobs = [self.job("print(input())", stdin=f"{i}\n".encode()) for i in range(2 * sandbox.width + 1)]
        for i, raw in enumerate(self.run(sandbox, *jobs)):
            assert (raw.status, raw.stdout) == ("ok", f"{i}\n".encode()), (i, raw)

    def test_a_job_leaves_nothing_to_the_next(self, sandbox: Sandbox) -> None:
        if not self.isolated:
            pytest.skip("it does not isolate (`isolated`)")
        write = self.job("open('/tmp/left-behind', 'w').write('x')")
        read = self.job("import os; print(os.path.exists('/tmp/left-behind'))")
        for job in (write, read) * (sandbox.width + 1):
            (raw,) = self.run(sandbox, job)
            assert raw.status == "ok", raw
            assert raw.stdout in (b"", b"False\n"), "a file of another job is still there"

    def test_processes_do_not_outlive_their_program(self, sandbox: Sandbox) -> None:
        code = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', 'input()'])"
        (raw,) = self.run(sandbox, self.job(code))
        assert raw.wall_s < self.patience, "it waits for a process that its program left behind"
        (after,) = self.run(sandbox, self.job("print('still here')"))
        assert (after.status, after.stdout) == ("ok", b"still here\n"), after
