"""Room for so many at a time, for threads and any number of event loops at once.

A ticket is a future that is done when there is room. Whoever gives up waiting takes nobody's turn.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import AsyncIterator
from concurrent.futures import Future


class Room:
    """Room for `size` at a time, given in the order of asking."""

    def __init__(self, size: int) -> None:
        self._free = size
        self._waiting: deque[Future[None]] = deque()
        self._lock = threading.Lock()

    def ticket(self) -> Future[None]:
        """A place, once the future is done; it is given back with `leave`."""
        future: Future[None] = Future()
        with self._lock:
            if self._free == 0:
                self._waiting.append(future)
                return future
            self._free -= 1
        future.set_result(None)
        return future

    async def enter(self) -> None:
        """Wait for a place; who is cancelled has none."""
        ticket = self.ticket()
        try:
            await asyncio.wrap_future(ticket)
        except asyncio.CancelledError:
            if not ticket.cancel():
                self.leave()  # it was given already
            raise

    @contextlib.asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        """A place for the length of a block."""
        await self.enter()
        try:
            yield
        finally:
            self.leave()

    def leave(self) -> None:
        """Give a place back, to the first that still waits."""
        while True:
            with self._lock:
                if not self._waiting:
                    self._free += 1
                    return
                future = self._waiting.popleft()
            if future.set_running_or_notify_cancel():
                future.set_result(None)
                return
