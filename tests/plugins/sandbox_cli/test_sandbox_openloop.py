"""Whether a host keeps up: what a measurement must not pass over in silence."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from harness_sandbox.pool import SandboxError
from harness_sandbox_cli import openloop
from harness_sandbox_cli.workload import Work

from tests.support.sandboxes import contained, sandbox

LIMITS = {"memory_mb": 128, "cpu_seconds": 20, "wall_seconds": 60}


def _work(name: str, program: str, tests: int = 1, **more: Any) -> Work:
    answer = {
        "kind": "stdio", "limits": LIMITS, "tests": [{"input": "1\n", "output": "1\n"}] * tests, **more,
    }  # fmt: skip
    return Work(name=name, program=program, answer=answer)


def test_programs_that_cannot_be_judged_end_the_measurement() -> None:
    works = [_work("c", "int main() {}", language="cpp")]
    with sandbox(contained()) as pool, pytest.raises(SandboxError, match="'cpp'"):
        asyncio.run(openloop.measure(pool, works, "none", rate=20, seconds=0.3))


def test_the_cpu_of_programs_that_are_given_up_is_not_that_of_those_judged() -> None:
    # A second for each of more tests than there is time for: some of them are run before it is given up.
    burn = "import time\nwhile time.process_time() < 1: pass\nprint(input())"
    late = _work("late", burn, tests=40)
    quick = _work("quick", "print(input())")
    with sandbox(contained(), slots=2) as pool:
        measured = asyncio.run(
            openloop.measure(pool, [late, *[quick] * 19], "both", rate=20, seconds=0.8, drain=6)
        )
    assert measured.judged == measured.programs - 1
    assert not measured.kept_up
    assert measured.cpu_sandbox * measured.judged / 1000 < 2.5
