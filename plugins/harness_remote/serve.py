"""Running a front until a signal: SIGTERM or SIGINT drains it, a second one ends it at once."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import signal
import socket
import ssl
import sys
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web
from harness_sandbox.pool import SandboxError, SandboxPool

from harness_remote.front import BODY_BYTES, Front

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """Where and how a front listens."""

    host: str
    port: int
    token: str
    #: Whether the user named the host, instead of taking the default.
    host_named: bool
    drain_seconds: float = 60.0
    #: Largest job, and all that are under way, in bytes.
    body_bytes: int = BODY_BYTES
    job_bytes: int = 512 << 20
    certificate: Path | None = None
    key: Path | None = None

    def check(self) -> None:
        """Raises SandboxError if anybody could have programs run here."""
        if not self.token and not (self.host_named and loopback(self.host)):
            raise SandboxError(
                "without a token anybody who reaches it could have programs run here",
                where=f"{self.host}:{self.port}",
                hint="set HARNESS_SANDBOX_TOKEN or --token-file; on your own machine alone, --host 127.0.0.1",
            )
        if (self.certificate is None) != (self.key is None):
            raise SandboxError(
                "a certificate and its key go together",
                where="--certificate" if self.key is None else "--key",
                hint="give both, or neither for plain HTTP",
            )
        if self.certificate is None and not loopback(self.host):
            log.warning("without --certificate the token and all programs go over the network unencrypted")

    @property
    def url(self) -> str:
        scheme = "http" if self.certificate is None else "https"
        return f"{scheme}://{f'[{self.host}]' if ':' in self.host else self.host}"


def loopback(host: str) -> bool:
    """Whether only this machine reaches it. Names are not looked up: they may mean another address later."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def serve(pool: SandboxPool, serving: Serving) -> None:
    """Serve until a signal comes; closes the pool."""
    serving.check()
    try:
        asyncio.run(_serve(pool, serving))
    finally:
        pool.close()


async def _serve(pool: SandboxPool, serving: Serving) -> None:
    front = Front(
        pool,
        serving.token,
        body_bytes=serving.body_bytes,
        job_bytes=max(serving.job_bytes, 4 * serving.body_bytes),
    )
    loop, told = asyncio.get_running_loop(), asyncio.Event()
    hurried = asyncio.Event()

    def stop() -> None:
        (hurried if told.is_set() else told).set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    runner = web.AppRunner(front.app(), access_log=None, keepalive_timeout=75, shutdown_timeout=1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, serving.host, serving.port, ssl_context=_tls(serving), backlog=1024)
        try:
            await site.start()
        except (OSError, socket.gaierror) as error:
            raise SandboxError(f"cannot listen: {error}", where=f"{serving.host}:{serving.port}") from None
        port = runner.addresses[0][1]
        guarded = "with a token" if serving.token else "WITHOUT A TOKEN, for this machine alone"
        print(
            f"serving {pool.kind} with {pool.options.width} slots at {serving.url}:{port}, {guarded}",
            flush=True,
        )
        await told.wait()
        print(f"draining {front.desk.open} jobs", file=sys.stderr, flush=True)
        drained = asyncio.create_task(front.drain(serving.drain_seconds))
        hurry = asyncio.create_task(hurried.wait())
        await asyncio.wait([drained, hurry], return_when=asyncio.FIRST_COMPLETED)
        if not (drained.done() and drained.result()):
            print(f"{front.desk.open} jobs were not finished", file=sys.stderr, flush=True)
        hurry.cancel()
        drained.cancel()
    finally:
        await runner.cleanup()


def _tls(serving: Serving) -> ssl.SSLContext | None:
    if serving.certificate is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(serving.certificate, serving.key)
    except (OSError, ssl.SSLError) as error:
        raise SandboxError(
            f"the certificate cannot be used: {error}", where=str(serving.certificate)
        ) from None
    return context
