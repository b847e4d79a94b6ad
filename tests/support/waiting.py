"""Waiting for what processes do, in tests that must hold on a machine that is busy with others."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from harness.support.processes import process


def until(condition: Callable[[], object], seconds: float = 30.0, *, what: str = "") -> None:
    """Wait for the condition; one that never comes is a failure with words, not a test that hangs."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what or condition}"
        time.sleep(0.01)


async def soon(condition: Callable[[], object], seconds: float = 30.0, *, what: str = "") -> None:
    """As `until`, while the event loop goes on; a condition that blocks is asked in a thread."""
    await asyncio.to_thread(until, condition, seconds, what=what)


def alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    running = process(pid)
    return running is not None and running.runs
