"""The hosts: which can be asked, which rests, which is lost; and one HTTP call, its failures sorted.

A host that refuses (429) is left alone for as long as it asked; this is not a failure. A host that
cannot be reached is lost: it is looked at again with growing pauses, and before it gets another job its
status is read anew, because another version may run in its place.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Final

import aiohttp
import msgspec
from harness_sandbox import exchange
from harness_sandbox.pool import SandboxError

from harness.contract import UNPARSABLE
from harness_remote import messages
from harness_remote.options import RemoteOptions

MAX_PAUSE: Final = 5.0
#: Longest time for a connection, and for a status, in seconds: both cost a host nothing.
CONNECT_SECONDS: Final = 2.0
STATUS_SECONDS: Final = 5.0
_MAX_ANSWER: Final = exchange.MAX_OUTPUT + exchange.MAX_RESULT + (1 << 20)


class Busy(Exception):
    """It has no room; it says when to come back, in seconds."""

    def __init__(self, reason: str, seconds: float) -> None:
        super().__init__(reason)
        self.seconds = seconds


class Unreached(Exception):
    """The request never arrived: no connection, or a host that is shutting down and takes no new jobs."""


class Lost(Exception):
    """The request may have arrived, and no answer will come."""


class Hung(Lost):
    """It said nothing for as long as it is waited for."""


class Unknown(Exception):
    """The host has no such job: it was started anew."""


class Refused(Exception):
    """The host will not do this job, however often it is asked."""


class Denied(Exception):
    """The host does not take our token, or is of another version."""


class Silent(Exception):
    """No host at all was reachable for longer than `patience`."""


class _About(msgspec.Struct):
    """A host's status. One without slots has no room, and would be waited for without end."""

    slots: Annotated[int, msgspec.Meta(gt=0)]
    protocol: int
    runner: str
    kind: str
    memory_mb: Annotated[int, msgspec.Meta(ge=0)]
    body_bytes: Annotated[int, msgspec.Meta(ge=0)]
    language: str
    draining: bool
    python: str | None = None


@dataclass(eq=False, slots=True)
class Host:
    """One host as we know it."""

    url: str
    #: Jobs of ours under way there, and how many there may be.
    jobs: int = 0
    room: int = 1
    #: Jobs that it runs side by side.
    slots: int = 1
    #: Largest memory of a job, in MiB.
    memory_mb: int = 0
    #: Largest job as bytes.
    body_bytes: int = 0
    #: What its programs may be in beside Python.
    language: str = ""
    kind: str = ""
    #: Whether its status was read since it was last lost.
    known: bool = False
    #: Whether a job is on its way to read it, which no other follows; and how often that was in vain.
    looking: bool = False
    looks: int = 0
    #: Not asked before this time of `time.monotonic`.
    rests_until: float = 0.0
    #: Since when it has not been reachable, None while it is; times in a row, and why.
    lost_since: float | None = None
    losses: int = 0
    fault: str = "not asked yet"
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    def rest(self, seconds: float) -> None:
        self.rests_until = max(self.rests_until, time.monotonic() + seconds)

    def lose(self, why: str, backoff: float, longest: float) -> None:
        """Not reachable; calls that fail together count as one."""
        now = time.monotonic()
        self.fault, self.known = why, False
        if self.lost_since is None:
            self.lost_since, self.losses = now, 0
        if now >= self.rests_until:
            self.rests_until = now + min(backoff * 2.0**self.losses, longest)
            self.losses = min(self.losses + 1, 10)


class Hosts:
    """The hosts of one client, used from its event loop."""

    def __init__(self, options: RemoteOptions, token: str) -> None:
        self.options = options
        self.all = [Host(url) for url in options.servers]
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS)
        self._http = aiohttp.ClientSession(
            headers=headers, timeout=timeout, connector=aiohttp.TCPConnector(limit=0)
        )
        self._changed = asyncio.Condition()
        #: The Python that programs run in on every host, and the host that said so first.
        self._python: tuple[str, str] | None = None

    async def close(self) -> None:
        await self._http.close()

    async def first_look(self) -> None:
        """Read every host's status.

        Raises:
            SandboxError: one refuses our token or has another version, or none can be reached.
        """

        async def look(host: Host) -> None:
            try:
                await self.learn(host)
            except Denied as denied:
                raise SandboxError(str(denied), where=f"sandbox 'remote', {host.url}") from None
            except (Unreached, Busy) as error:
                self.lose(host, str(error))

        await asyncio.gather(*map(look, self.all))
        if not any(host.known for host in self.all):
            faults = "; ".join(f"{host.url}: {host.fault}" for host in self.all)
            raise SandboxError(
                f"no sandbox host answers: {faults}",
                where="sandbox 'remote'",
                hint="start them with 'harness sandbox serve'",
            )

    @property
    def memory_mb(self) -> int:
        """Largest memory that a job may ask for on every host that we know."""
        return min((host.memory_mb for host in self.all if host.memory_mb), default=0)

    def speaks(self, language: str) -> bool:
        """Whether every host that we know runs programs in this language."""
        return language == "python" or all(h.language in ("", language) for h in self.all)

    def lose(self, host: Host, why: str) -> None:
        """Take note that it cannot be reached; it is looked at again well before patience ends."""
        host.lose(why, self.options.backoff, min(MAX_PAUSE, self.options.patience / 4))

    async def acquire(self, avoid: Sequence[Host], since: float) -> Host:
        """A host with room, preferably none of `avoid`, the one with the smallest part of it taken.

        Raises:
            Silent: none was reachable for `patience` seconds since that time, when the job came.
        """
        async with self._changed:
            while True:
                now = time.monotonic()
                free = [h for h in self.all if now >= h.rests_until and h.jobs < h.room and not h.looking]
                if free:
                    host = min(free, key=lambda h: (h in avoid, h.jobs / h.room))
                    host.jobs += 1
                    # One that was lost may hang: one job finds out, the others go elsewhere.
                    host.looking = not host.known
                    return host
                silent = [now - max(h.lost_since, since) for h in self.all if h.lost_since is not None]
                looked_at = any(h.looking for h in self.all)
                if len(silent) == len(self.all) and min(silent) > self.options.patience and not looked_at:
                    raise Silent("; ".join(f"{h.url}: {h.fault}" for h in self.all))
                ends = [h.rests_until - now for h in self.all if h.rests_until > now]
                try:
                    async with asyncio.timeout(max(min([*ends, 1.0]), 0.005)):
                        await self._changed.wait()
                except TimeoutError:
                    continue

    async def release(self, host: Host) -> None:
        host.jobs -= 1
        async with self._changed:
            self._changed.notify()

    async def learn(self, host: Host) -> None:
        """Read its status, unless we know it; those that come while it is being read share what is found.

        Raises:
            Unreached, Denied, Busy: there is no status, or the host is not usable. Nothing was sent.
        """
        if host.known:
            return
        looks = host.looks
        try:
            async with host.lock:
                if host.known:
                    return
                if host.looks != looks:
                    raise Unreached(host.fault)
                try:
                    await self._look(host)
                except Exception as error:
                    host.looks, host.fault = host.looks + 1, str(error)
                    raise
        finally:
            host.looking = False
            async with self._changed:
                self._changed.notify_all()

    async def _look(self, host: Host) -> None:
        seconds = min(STATUS_SECONDS, self.options.answer_seconds)
        try:
            status, body, _ = await self._http_call(host, "GET", "/v1/status", None, seconds)
            if status != 200:
                self._raise(host, status, body)
        except Lost as lost:
            raise Unreached(str(lost)) from None
        except (Unknown, Refused) as error:
            raise Denied(f"what answers there is not a sandbox host: {error}") from None
        try:
            about = msgspec.json.decode(body, type=_About)
        except UNPARSABLE as error:
            raise Denied(f"what answers there is not a sandbox host: {error}"[:300]) from None
        version, runner, python = about.protocol, about.runner, str(about.python)
        host.slots, host.kind, host.language = about.slots, about.kind, about.language
        host.memory_mb, host.body_bytes, draining = about.memory_mb, about.body_bytes, about.draining
        if (version, runner) != (messages.PROTOCOL, messages.runner()):
            raise Denied(
                f"it has another version (protocol {version}, runner {runner}) than this machine (protocol "
                f"{messages.PROTOCOL}, runner {messages.runner()}), and its verdicts would not compare"
            )
        first = self._python = self._python or (python, host.url)
        if python != first[0]:
            raise Denied(
                f"its programs run in {python}, those at {first[1]} in {first[0]}, and verdicts would differ"
            )
        if draining:
            raise Unreached("it is being stopped")
        host.room = self.options.concurrency or 4 * host.slots
        host.known, host.lost_since, host.losses = True, None, 0

    async def call(self, host: Host, method: str, path: str, body: bytes | None) -> tuple[int, bytes]:
        """Status and body of an answer that is one: 200, 202 or 204.

        Raises:
            Busy, Unreached, Lost, Unknown, Refused, Denied: what there is instead.
        """
        status, content, headers = await self._http_call(
            host, method, path, body, self.options.answer_seconds
        )
        if status in (200, 202, 204):
            return status, content
        self._raise(host, status, content, headers)
        raise AssertionError("unreachable")

    def _raise(self, host: Host, status: int, body: bytes, headers: Any = None) -> None:
        reason, after = f"{status} {body[:300].decode('utf-8', 'replace')}", None
        try:
            told = msgspec.json.decode(body, type=dict[str, Any])
            reason, after = f"{status} {told.get('error', '')}"[:300], told.get("retry_after")
        except UNPARSABLE:
            pass
        if status == 429:
            raise Busy(reason, _seconds(after or (headers or {}).get("Retry-After")))
        if status in (401, 403):
            raise Denied(f"it does not take our token: {reason}")
        if status == 404:
            raise Unknown(reason)
        if status == 503:
            raise Unreached(reason)
        if status >= 500 or status in (408, 425):
            raise Lost(reason)
        raise Refused(reason)

    async def _http_call(
        self, host: Host, method: str, path: str, body: bytes | None, seconds: float
    ) -> tuple[int, bytes, Any]:
        try:
            async with (
                asyncio.timeout(seconds),
                self._http.request(
                    method,
                    host.url + path,
                    data=body,
                    headers={"Content-Type": messages.CONTENT_TYPE} if body is not None else {},
                    # The token goes where it was meant to go.
                    allow_redirects=False,
                ) as response,
            ):
                parts, size = [], 0
                async for part in response.content.iter_any():
                    parts.append(part)
                    size += len(part)
                    if size > _MAX_ANSWER:
                        raise Lost(f"an answer of more than {_MAX_ANSWER >> 20} MiB")
                return response.status, b"".join(parts), response.headers
        # The first is a TimeoutError, too.
        except (aiohttp.ConnectionTimeoutError, aiohttp.ClientConnectorError) as error:
            raise Unreached(f"no connection: {error}"[:200]) from None
        except TimeoutError:
            raise Hung(f"no answer within {seconds:g} s") from None
        except aiohttp.ClientError as error:
            raise Lost(f"the connection ended: {type(error).__name__} {error}"[:200]) from None


def _seconds(value: Any) -> float:
    try:
        seconds = float(value)
    except (TypeError, ValueError, OverflowError):
        return 1.0
    # Of two numbers one of which is none, Python takes the first: a rest of nan would have no end.
    return 1.0 if math.isnan(seconds) else min(max(seconds, 0.05), 30.0)
