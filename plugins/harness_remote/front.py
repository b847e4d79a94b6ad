"""The HTTP front: takes jobs, answers with their outcomes, and refuses at once when it is full.

    POST   /v1/jobs/<name>?wait=S   take a job, or find it; 200 with its outcome, or 202 while it is not done
    GET    /v1/jobs/<name>?wait=S   the same for one that is here; 404 when it is not
    DELETE /v1/jobs/<name>          the client does not want it any more
    GET    /v1/status               which host this is and how busy it is
    GET    /healthz                 200 while it takes jobs and its sandboxes work, else 503; needs no token

A request waits for at most `MAX_WAIT` seconds, so that a host that hangs is found out however long its
jobs are. The front holds neither expected outputs nor verdicts: the client judges.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Any, Final, NoReturn

from aiohttp import web
from harness_sandbox.pool import SandboxError, SandboxPool
from harness_sandbox.slot import PROBE

from harness_remote import messages
from harness_remote.desk import Desk, Entry, Full
from harness_remote.messages import CONTENT_TYPE, MessageError
from harness_remote.tokens import Guard

log = logging.getLogger(__name__)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
#: Largest job by default, in bytes: all tests of a function go in one.
BODY_BYTES: Final = 128 << 20
#: Longest time that one request is held, in seconds.
MAX_WAIT: Final = 20.0
#: Longest time that a body may take to arrive, in seconds.
BODY_SECONDS: Final = 30.0
#: Between two probes of sandboxes that do not work.
PROBE_SECONDS: Final = 2.0
#: 128 bits of the client's choosing, the digest of the body, and how often it was tried.
_NAME: Final = re.compile(r"[0-9a-f]{32}-[0-9a-f]{16}-[0-9]{1,3}")


class Front:
    """The front of one pool. Made inside the event loop that serves it."""

    def __init__(
        self,
        pool: SandboxPool,
        token: str,
        *,
        body_bytes: int = BODY_BYTES,
        job_bytes: int = 512 << 20,
        result_bytes: int = 256 << 20,
    ) -> None:
        self.desk = Desk(pool, job_bytes=job_bytes, result_bytes=result_bytes)
        self._pool, self._guard, self._body_bytes = pool, Guard(token), body_bytes
        self._runner = messages.runner()
        self._started = time.monotonic()

    def app(self) -> web.Application:
        """The application; `desk` is swept while it runs."""
        app = web.Application(middlewares=[self._admit], client_max_size=self._body_bytes)
        app.router.add_post("/v1/jobs/{name}", self._post)
        app.router.add_get("/v1/jobs/{name}", self._get)
        app.router.add_delete("/v1/jobs/{name}", self._delete)
        app.router.add_get("/v1/status", self._status)
        app.router.add_get("/healthz", self._health)
        app.cleanup_ctx.append(self._housekeeping)
        return app

    async def drain(self, seconds: float) -> bool:
        """Take nothing new, finish what is under way and hand it out; whether all of it was."""
        self.desk.draining = True
        deadline = time.monotonic() + seconds
        while not self.desk.idle:
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(0.05)
        return True

    async def _housekeeping(self, app: web.Application) -> Any:
        async def keep() -> None:
            while True:
                await asyncio.sleep(PROBE_SECONDS)
                self.desk.sweep()
                if self.desk.sick and not self.desk.open:
                    with contextlib.suppress(Full, SandboxError):
                        probe = self.desk.take(f"probe-{time.monotonic_ns()}", PROBE, 0)
                        probe.collected = True

        task = asyncio.create_task(keep())
        yield
        task.cancel()

    @web.middleware
    async def _admit(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path != "/healthz" and not self._guard.admits(request.headers.get("Authorization")):
            return _error(401, "a token is needed", {"WWW-Authenticate": "Bearer"})
        try:
            return await handler(request)
        except Full as full:
            whole = {"Retry-After": str(math.ceil(full.seconds))}
            return _error(429, str(full), whole, retry_after=round(full.seconds, 3))
        except web.HTTPException as error:
            return _error(error.status, error.reason)

    async def _post(self, request: web.Request) -> web.StreamResponse:
        name, seconds = _name(request), _wait(request)
        entry = self.desk.find(name) or await self._take(name, request)
        return await self._answer(entry, request, seconds)

    async def _get(self, request: web.Request) -> web.StreamResponse:
        name, seconds = _name(request), _wait(request)
        entry = self.desk.find(name)
        if entry is None:
            return _error(404, "no such job here")
        return await self._answer(entry, request, seconds)

    async def _delete(self, request: web.Request) -> web.StreamResponse:
        entry = self.desk.find(_name(request))
        if entry is not None:
            self.desk.forget(entry)
        return web.Response(status=204)

    async def _take(self, name: str, request: web.Request) -> Entry:
        if self.desk.draining:
            _refuse(web.HTTPServiceUnavailable, "it is being stopped")
        if request.headers.get("Content-Encoding", "identity").lower() != "identity":
            # What is counted is what arrives; inflated, it may be a thousand times as much.
            _refuse(web.HTTPUnsupportedMediaType, "a job travels as it is, without Content-Encoding")
        size = request.content_length
        if size is None:
            _refuse(web.HTTPLengthRequired, "a length is needed")
        if size > self._body_bytes:
            raise web.HTTPRequestEntityTooLarge(
                self._body_bytes, size, reason=f"a job has at most {self._body_bytes} bytes"
            )
        with self.desk.reserve(size):
            try:
                async with asyncio.timeout(BODY_SECONDS):
                    body = await request.read()
            except TimeoutError:
                _refuse(web.HTTPRequestTimeout, "the body did not arrive")
        if messages.digest(body) != name.split("-")[1]:
            _refuse(web.HTTPBadRequest, "the body is not the one that the name is of")
        try:
            return self.desk.take(name, messages.unpack_job(body), size)
        except MessageError as error:
            _refuse(web.HTTPBadRequest, str(error))
        except SandboxError as error:
            _refuse(web.HTTPBadRequest, f"{error.what} ({error.allowed})")

    async def _answer(self, entry: Entry, request: web.Request, seconds: float) -> web.StreamResponse:
        if not await self.desk.wait(entry, seconds):
            return web.json_response({"state": "under way"}, status=202)
        if not entry.body:
            return _error(404, "it was cancelled")
        response = web.Response(body=entry.body, content_type=CONTENT_TYPE)
        await response.prepare(request)
        await response.write_eof()
        # Written, as far as this side can know; a client that asks again soon still gets it.
        entry.collected = True
        return response

    async def _status(self, request: web.Request) -> web.StreamResponse:
        desk, pool, options = self.desk, self._pool, self._pool.options
        return web.json_response(
            {
                "protocol": messages.PROTOCOL,
                "runner": self._runner,
                "python": messages.python(),
                "kind": pool.kind,
                "language": options.language,
                "slots": options.width,
                "queue": options.queue,
                "memory_mb": options.memory_mb,
                "body_bytes": self._body_bytes,
                "open": desk.open,
                "waiting": pool.waiting,
                "draining": desk.draining,
                "well": not desk.sick,
                "uptime_s": round(time.monotonic() - self._started, 1),
                "desk": asdict(desk.stats),
                "pool": asdict(pool.stats),
            }
        )

    async def _health(self, request: web.Request) -> web.StreamResponse:
        if self.desk.draining:
            return _error(503, "it is being stopped")
        if self.desk.sick:
            return _error(503, "its sandboxes do not work")
        return web.json_response({"state": "ok"})


def _name(request: web.Request) -> str:
    name = request.match_info["name"]
    if not _NAME.fullmatch(name):
        _refuse(web.HTTPBadRequest, "not the name of a job")
    return name


def _wait(request: web.Request) -> float:
    """Seconds to hold a request for."""
    try:
        seconds = float(request.query.get("wait", MAX_WAIT))
    except ValueError:
        seconds = math.nan
    if math.isnan(seconds):
        _refuse(web.HTTPBadRequest, "wait is not a number of seconds")
    return min(max(seconds, 0.0), MAX_WAIT)


def _refuse(kind: type[web.HTTPException], reason: str) -> NoReturn:
    raise kind(reason=reason.replace("\n", " ").replace("\r", " "))


def _error(status: int, what: str, headers: dict[str, str] | None = None, **more: Any) -> web.Response:
    return web.json_response({"error": what, **more}, status=status, headers=headers)
