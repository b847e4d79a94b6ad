"""Who gets into a pool's queue: those that give up while they wait take nobody's turn."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from harness_code import cases, judge
from harness_sandbox.pool import SandboxError, SandboxPool

from harness.contract.programs import Job
from tests.support.sandboxes import contained, sandbox

QUICK = Job("print(1)", memory_mb=128)
NAP = Job("import time; time.sleep(2); print(1)", memory_mb=128)


def _until(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came to be"
        time.sleep(0.005)


@pytest.fixture
def full() -> Iterator[SandboxPool]:
    """One slot at a long job, and a queue for one with one in it."""
    with sandbox(contained(), queue=1) as pool:
        pool.run_sync(QUICK)
        under_way = pool.submit(NAP)
        _until(under_way.running)
        pool.submit(QUICK)
        yield pool


def test_who_gave_up_waiting_does_not_use_up_the_next_ones_turn(full: SandboxPool) -> None:
    async def go() -> bytes:
        gone, stays = (asyncio.create_task(full.run(QUICK)) for _ in range(2))
        await asyncio.sleep(0)
        gone.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gone
        async with asyncio.timeout(30):
            return (await stays).stdout

    assert asyncio.run(go()) == b"1\n"


def test_who_gives_up_as_its_turn_comes_passes_it_on(full: SandboxPool) -> None:
    async def go() -> bytes:
        gone, stays = (asyncio.create_task(full.run(QUICK)) for _ in range(2))
        await asyncio.sleep(0)
        # The turn is given in a slot's thread while this loop does something else, and then not taken.
        _until(lambda: not full.waiting)
        gone.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gone
        async with asyncio.timeout(30):
            return (await stays).stdout

    assert asyncio.run(go()) == b"1\n"


def test_closing_ends_although_some_gave_up_waiting(full: SandboxPool) -> None:
    async def go() -> None:
        gone, stays = (asyncio.create_task(full.run(QUICK)) for _ in range(2))
        await asyncio.sleep(0)
        gone.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gone
        await asyncio.to_thread(full.close)
        with pytest.raises(SandboxError, match="closed"):
            await stays

    asyncio.run(go())
    assert not [one for one in threading.enumerate() if one.name.startswith("sandbox-") and one.is_alive()]


def test_a_program_in_a_language_that_the_sandbox_lacks_gets_no_verdict() -> None:
    answer = cases.Stdio(tests=(cases.Case("", "0"),), language="cpp")
    with sandbox(contained()) as pool, pytest.raises(SandboxError, match="a job is in 'cpp'"):
        asyncio.run(judge.judge("int main() {}", answer, pool, stop_at_failure=True))
