"""The servers: which is usable, which is asked next, which is looked at.

A server is `ready`, `suspect` (a connection ended without an answer: no new requests until it was looked
at) or `lost` (looked at again and again, with growing pauses). One task per server looks at its model
list: at once when it is suspect, every few seconds otherwise, so that a server which hangs is found out
before the deadline of its requests. Requests under way at a server that is lost are cut short and asked
elsewhere.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Final, Literal

from harness.contract import EngineError, counted, seed_of
from harness_openai.calls import CONNECT_SECONDS, Caller
from harness_openai.faults import Broken, Busy, Dropped, Fault, Gone, Lost
from harness_openai.options import OpenAIOptions
from harness_openai.protocol import Card, cards

log = logging.getLogger(__name__)

#: Longest pause, in seconds.
MAX_PAUSE: Final = 30.0
#: Failed looks in a row after which a server that still accepts connections is lost.
MISSES: Final = 3
#: How many times as slow as the slowest a server counts that gave nothing yet but errors.
FAILING: Final = 16.0
#: Share of what is known of a server's pace that outlives its next answer.
KEEP: Final = 0.9
#: A look that takes so many times as long as it may says nothing about the server.
LATE: Final = 1.5
#: Broken answers and lost connections in a row after which a server rests.
BROKEN: Final = 3


def pause(base: float, times: int, *key: object) -> float:
    """Seconds before attempt `times` + 1: doubling, with a jitter from the key in [0.5, 1.5)."""
    jitter = 0.5 + seed_of("pause", *key, times) / 2.0**63
    return float(min(base * 2.0 ** min(times, 16), MAX_PAUSE) * jitter)


@dataclass(eq=False, slots=True)
class Server:
    url: str
    state: Literal["ready", "suspect", "lost"] = "lost"
    card: Card | None = None
    #: The last thing that was wrong with it.
    fault: str = "not reached yet"
    #: Since when it has not been usable, None while it is.
    down_since: float | None = field(default_factory=monotonic)
    rests_until: float = 0.0
    #: Broken and busy answers and lost connections in a row.
    troubles: int = 0
    under_way: set[asyncio.Task[bytes]] = field(default_factory=set)
    #: Slots given out; at least `len(under_way)`.
    slots: int = 0
    #: Seconds that it spent on requests of late, and tokens that it gave for them.
    seconds: float = 0.0
    tokens: float = 0.0
    look: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def pace(self) -> float | None:
        """Seconds per token of one request, of late; None if no token came."""
        return self.seconds / self.tokens if self.tokens >= 1.0 else None

    def took(self, seconds: float, tokens: int) -> None:
        """It spent so long on a request; no tokens if nothing came of it."""
        self.seconds = KEEP * self.seconds + seconds
        self.tokens = KEEP * self.tokens + tokens


class Fleet:
    """The servers of one `generate`."""

    def __init__(self, caller: Caller, options: OpenAIOptions) -> None:
        self._caller, self._options = caller, options
        self.servers = [Server(url) for url in options.servers]
        self._changed = asyncio.Condition()
        #: Longest wait for a model list, in seconds.
        self._look_seconds = min(CONNECT_SECONDS, options.health_every)

    async def start(self) -> None:
        """Look at all servers once; one that is not there yet may come later.

        Raises:
            EngineError: one that answers serves another model, or refuses the key.
        """
        await asyncio.gather(*(self._first_look(server) for server in self.servers))

    async def watch(self) -> None:
        """Look at the servers until cancelled."""
        async with asyncio.TaskGroup() as group:
            for server in self.servers:
                group.create_task(self._watch(server))

    async def acquire(self, avoid: set[Server]) -> Server:
        """A slot at the usable server with the fewest requests under way for its pace.

        One of `avoid`, where the request failed before, only while no other is up: a server that fails
        fast always has a free slot, and would draw every attempt of a request.

        Raises:
            EngineError: no server was usable for longer than `patience`.
        """
        async with self._changed:
            while True:
                now = monotonic()
                up = [s for s in self.servers if s.state == "ready"]
                others = [s for s in up if s not in avoid]
                free = [s for s in others or up if self._usable(s, now)]
                if free:
                    server = self._least_busy(free)
                    server.slots += 1
                    return server
                self._lose_patience(now)
                await self._wait(now)

    def _least_busy(self, free: Sequence[Server]) -> Server:
        """The server that would be done with its requests and one more first, if their tokens are shared out
        evenly; one whose pace is not known counts as the fastest."""
        known = [pace for s in self.servers if (pace := s.pace) is not None]
        unknown, failing = min(known, default=1.0), FAILING * max(known, default=1.0)

        def wait(server: Server) -> float:
            pace = server.pace
            if pace is None:
                pace = failing if server.seconds else unknown
            return (server.slots + 1) * pace

        return min(free, key=lambda s: (wait(s), s.slots))

    async def call(self, server: Server, path: str, body: bytes) -> bytes:
        """Ask a server; raises the Fault, after taking note of it."""
        task = asyncio.create_task(self._caller.call("POST", server.url + path, body, self._options.deadline))
        server.under_way.add(task)
        try:
            return await task
        except asyncio.CancelledError:
            current = asyncio.current_task()
            if task.cancelled() and current is not None and not current.cancelling():
                raise Lost(f"the server was lost: {server.fault}") from None
            task.cancel()
            raise
        except Gone as fault:
            self._lose(server, fault)
            raise
        except Dropped as fault:
            if server.state == "ready":
                self._down(server, "suspect", fault)
            server.look.set()
            raise
        finally:
            server.under_way.discard(task)

    def worked(self, server: Server) -> None:
        """It gave a usable answer."""
        server.troubles = 0
        # One that was lost meanwhile stays down until it is looked at.
        if server.state == "ready":
            server.down_since = None

    def trouble(self, server: Server, fault: Busy | Broken | Dropped, *key: object) -> None:
        """It asked for a pause, broke or hung up; it rests when that goes on."""
        server.fault = str(fault)
        if monotonic() < server.rests_until:
            return  # Calls that were under way together count as one.
        server.troubles += 1
        if not isinstance(fault, Busy) and server.troubles < BROKEN:
            return
        asked = fault.seconds if isinstance(fault, Busy) else None
        if not asked:
            asked = pause(self._options.backoff, server.troubles - 1, server.url, *key)
        server.rests_until = max(server.rests_until, monotonic() + asked)
        server.down_since = server.down_since or monotonic()

    async def release(self, server: Server) -> None:
        server.slots -= 1
        async with self._changed:
            self._changed.notify_all()

    def _usable(self, server: Server, now: float) -> bool:
        return (
            server.state == "ready" and now >= server.rests_until and server.slots < self._options.concurrency
        )

    async def _wait(self, now: float) -> None:
        """Until something changes, a rest ends or patience does."""
        ends = [s.rests_until for s in self.servers if s.state == "ready" and s.rests_until > now]
        ends.append(now + min(self._options.patience, self._options.health_every))
        try:
            async with asyncio.timeout(max(min(ends) - now, 0.01)):
                await self._changed.wait()
        except TimeoutError:
            return

    def _lose_patience(self, now: float) -> None:
        patience = self._options.patience
        if all(
            s.down_since is not None and now - s.down_since > patience and not s.under_way
            for s in self.servers
        ):
            raise EngineError(
                f"no server was usable for {patience:g} s: "
                + "; ".join(f"{s.url}: {s.fault}" for s in self.servers),
                where="engine 'openai'",
                hint="start the servers and resume, or raise patience",
            )

    async def _first_look(self, server: Server) -> None:
        try:
            server.card = await self._look(server)
        except _OtherModel as other:
            raise EngineError(
                str(other), where=f"engine 'openai', {server.url}", allowed=other.served,
                hint="name the model as its servers do",
            ) from None  # fmt: skip
        except Fault as fault:
            server.fault = str(fault)
        else:
            server.state, server.down_since = "ready", None

    async def _watch(self, server: Server) -> None:
        misses = 0
        while True:
            seconds = self._options.health_every
            if server.state != "ready":
                seconds = min(seconds, pause(self._options.backoff, misses, server.url))
            try:
                async with asyncio.timeout(seconds):
                    await server.look.wait()
            except TimeoutError:
                pass
            server.look.clear()
            began = monotonic()
            try:
                server.card = await self._look(server)
            except Fault as fault:
                # Where the timeout itself comes late, this process was held up, and the answer may be here.
                if not isinstance(fault, Gone) and monotonic() - began > LATE * self._look_seconds:
                    continue
                misses += 1
                if isinstance(fault, Gone) or misses >= MISSES:
                    self._lose(server, fault)
            else:
                misses = 0
                if server.state != "ready":
                    if server.state == "lost":
                        log.warning("server %s is back", server.url)
                    server.state = "ready"
                    if server.troubles == 0:
                        server.down_since = None
                    async with self._changed:
                        self._changed.notify_all()

    async def _look(self, server: Server) -> Card:
        answer = await self._caller.call("GET", server.url + "/models", None, self._look_seconds)
        listed = cards(answer)
        wanted, served = self._options.model, ", ".join(card.id for card in listed)
        if wanted is None and len(listed) == 1:
            return listed[0]
        match = [card for card in listed if card.id == wanted]
        if match:
            return match[0]
        what = f"does not serve {wanted!r}" if wanted else "does not serve exactly one model"
        raise _OtherModel(what, served or "(nothing)")

    def _lose(self, server: Server, fault: Fault) -> None:
        known = server.state != "lost"
        self._down(server, "lost", fault)
        if known:
            others = sum(s.state == "ready" for s in self.servers)
            then = (
                f"its requests go to {counted(others, 'other')}"
                if others
                else f"waiting for it for at most {self._options.patience:g} s"
            )
            log.warning("server %s is lost: %s; %s", server.url, fault, then)
        for task in server.under_way:
            task.cancel()

    def _down(self, server: Server, state: Literal["suspect", "lost"], fault: Fault) -> None:
        server.state, server.fault = state, str(fault)
        server.down_since = server.down_since or monotonic()


class _OtherModel(Gone):
    """A server that is there and serves something else."""

    def __init__(self, what: str, served: str) -> None:
        super().__init__(f"{what}; it serves {served}")
        self.served = served
