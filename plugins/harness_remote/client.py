"""The sandbox kind `remote`: jobs run on hosts elsewhere, and none is lost or judged twice.

A job has a name of its own. If a connection ends, the same host is asked for the same name again and
gives the execution that it has; if the host is gone, another one runs the job, which gives the same
bytes, and only one answer is ever taken. What no host could run comes back as an `infra_error`. Judging
stays here, and with it every expected output.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import threading
import time
from collections.abc import Coroutine
from concurrent.futures import Future
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from harness_sandbox import exchange
from harness_sandbox.pool import SandboxBusy, SandboxError

from harness.contract import BuildContext, Job, Raw
from harness_remote import messages, tokens
from harness_remote.hosts import Busy, Denied, Host, Hosts, Hung, Lost, Refused, Silent, Unknown, Unreached
from harness_remote.options import RemoteOptions
from harness_remote.serve import loopback

log = logging.getLogger(__name__)
T = TypeVar("T")
#: Seconds that a closing client spends on telling hosts that it does not wait any more.
LAST_WORDS: Final = 1.0


def remote(options: RemoteOptions, context: BuildContext) -> RemoteSandbox:
    """Build the kind; raises SandboxError if no host answers, or one refuses us."""
    return RemoteSandbox(options)


@dataclass(slots=True)
class RemoteStats:
    """Sums over the client's life."""

    jobs: int = 0
    infra_errors: int = 0
    #: Times that a host said it was full, that one could not be reached, and that one lost a job.
    busy: int = 0
    unreached: int = 0
    lost: int = 0
    #: Why the last host that failed did so.
    last_error: str = ""


class RemoteSandbox:
    """A `Sandbox` over hosts. Any thread and any event loop may use it."""

    kind = "remote"

    def __init__(self, options: RemoteOptions) -> None:
        self.options = options
        self.stats = RemoteStats()
        token = tokens.read(options.token_file, options.token_env)
        plain = [u for u in options.servers if u.startswith("http:") and not loopback(_host_of(u))]
        if token and plain:
            log.warning("the token goes over the network unencrypted to %s", ", ".join(plain))
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="sandbox-remote", daemon=True)
        self._thread.start()
        self._closed = False
        self._waiting = 0
        self._lock = threading.Lock()
        self._tasks: set[asyncio.Task[Raw]] = set()
        self._calls: set[asyncio.Task[Any]] = set()
        try:
            self._hosts: Hosts = self._wait(self._open(token))
        except BaseException:
            self._stop()
            raise

    async def run(self, job: Job) -> Raw:
        """Run a job somewhere (protocol `Sandbox`).

        Raises:
            SandboxError: the job asks for more than the hosts have, or the sandbox is closed.
        """
        return await asyncio.wrap_future(self._start(job))

    def run_sync(self, job: Job) -> Raw:
        """As `run`, from a thread."""
        return self._start(job).result()

    def submit(self, job: Job) -> Future[Raw]:
        """As `run`, without waiting for room; raises SandboxBusy if too many wait here already."""
        return self._start(job, wait=False)

    @property
    def width(self) -> int:
        """Jobs that the hosts run side by side (protocol `Sandbox`); one not known yet is 1."""
        return sum(host.slots for host in self._hosts.all)

    @property
    def hosts(self) -> dict[str, str]:
        """Each host's address and what is wrong with it; empty if nothing is."""
        return {h.url: h.fault if h.lost_since is not None else "" for h in self._hosts.all}

    def close(self) -> None:
        """Give up what is under way, as infra errors."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        self._wait(self._shut())
        self._stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # The thread's event loop -----------------------------------------------------------------------

    async def _open(self, token: str) -> Hosts:
        self._room = asyncio.Semaphore(self.options.queue)
        hosts = Hosts(self.options, token)
        try:
            await hosts.first_look()
        except BaseException:
            await hosts.close()
            raise
        return hosts

    async def _shut(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._calls:
            await asyncio.wait(self._calls, timeout=LAST_WORDS)
        await self._hosts.close()

    def tell(self, call: Coroutine[Any, Any, Any]) -> None:
        """Make a call whose outcome nobody waits for; from the event loop."""
        task = asyncio.create_task(call)
        self._calls.add(task)

        def told(task: asyncio.Task[Any]) -> None:
            self._calls.discard(task)
            if not task.cancelled():
                task.exception()

        task.add_done_callback(told)

    def _start(self, job: Job, *, wait: bool = True) -> Future[Raw]:
        with self._lock:
            if self._closed:
                raise SandboxError("it is closed", where="sandbox 'remote'")
            most = self._hosts.memory_mb
            if job.memory_mb > most:
                raise SandboxError(
                    f"a job asks for {job.memory_mb} MiB",
                    where="sandbox 'remote'",
                    allowed=f"at most {most}, as the hosts have",
                )
            if not self._hosts.speaks(job.language):
                raise SandboxError(
                    f"a job is in {job.language!r}, which not every host has",
                    where="sandbox 'remote'",
                    hint=f"start hosts with --language {job.language}",
                )
            if not wait and self._waiting >= self.options.queue:
                raise SandboxBusy(f"{self._waiting} jobs are waiting already", where="sandbox 'remote'")
            self._waiting += 1
            # Under the lock: once it is closed, nothing is given to a loop that ends.
            future = asyncio.run_coroutine_threadsafe(self._run(job), self._loop)
        # Not in the coroutine: one that is cancelled before its first step runs no line of itself.
        future.add_done_callback(self._left)
        return future

    def _left(self, future: Future[Raw]) -> None:
        with self._lock:
            self._waiting -= 1

    async def _run(self, job: Job) -> Raw:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        asked = time.monotonic()
        errand = _Errand(self, self._hosts, job)
        try:
            async with self._room, asyncio.timeout(self.options.deadline):
                raw = await errand.run()
        except TimeoutError:
            raw = exchange.failed(
                f"no host had an answer within {self.options.deadline:g} s: {self.stats.last_error}"
            )
        except asyncio.CancelledError:
            if not self._closed:
                raise
            raw = exchange.failed("the sandbox was closed")
        finally:
            self._tasks.discard(task)
        self.stats.jobs += 1
        self.stats.infra_errors += raw.status == "infra_error"
        return replace(raw, queue_s=raw.queue_s + (errand.sent or time.monotonic()) - asked)

    def _wait(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    def _stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class _Errand:
    """One job on its way to an answer."""

    def __init__(self, sandbox: RemoteSandbox, hosts: Hosts, job: Job) -> None:
        self._sandbox, self._hosts = sandbox, hosts
        self._options, self._stats = sandbox.options, sandbox.stats
        self._body = messages.pack_job(job)
        self._identity = f"{secrets.token_hex(16)}-{messages.digest(self._body)}"
        self._attempts = 0
        #: When the last host that it was given to was chosen; until then it waits. None before the first.
        self.sent: float | None = None
        #: Executions that ended in an infra error: the next one is another execution, with another name.
        self._number = 0
        self._avoid: list[Host] = []

    async def run(self) -> Raw:
        error, since = "", time.monotonic()
        while self._attempts < self._options.attempts:
            try:
                host = await self._hosts.acquire(self._avoid, since)
            except Silent as silent:
                return exchange.failed(f"no sandbox host could be reached: {silent}")
            self.sent = time.monotonic()
            try:
                raw = await self._at(host)
            except Refused as refused:
                raise SandboxError(str(refused), where=f"sandbox 'remote', {host.url}") from None
            finally:
                await self._hosts.release(host)
            if raw is None:
                error = host.fault
                continue
            if raw.status != "infra_error":
                return raw
            # The job did not run, so running it elsewhere is not a second judgement: another host may work.
            error = f"{host.url}: {raw.reason}"
            self._failed(host, error)
            self._number += 1
        return exchange.failed(f"tried {self._attempts} times: {error}")

    async def _at(self, host: Host) -> Raw | None:
        """The answer of one host; None if it has none, which is noted."""
        again = True
        while True:
            try:
                await self._hosts.learn(host)
                if len(self._body) > host.body_bytes:
                    raise Refused(
                        f"a job of {len(self._body)} bytes where at most {host.body_bytes} are taken "
                        "('harness sandbox serve --body-mb')"
                    )
                return await self._ask(host)
            except Busy as busy:
                self._stats.busy += 1
                host.rest(busy.seconds)
                return None
            except (Unreached, Denied) as error:
                self._stats.unreached += 1
                self._stats.last_error = f"{host.url}: {error}"
                self._hosts.lose(host, str(error))
                return None
            except Unknown as error:
                # It was started anew and is well, but may be another version.
                host.known = False
                self._stats.lost += 1
                self._failed(host, f"{host.url}: {error}")
                return None
            except Lost as error:
                # The host may live and have the job: ask it once more for the same one, so that it is not
                # run twice. One that hangs is not worth that.
                if again and not isinstance(error, Hung):
                    again = False
                    continue
                self._stats.lost += 1
                self._hosts.lose(host, str(error))
                self._failed(host, f"{host.url}: {error}")
                return None

    async def _ask(self, host: Host) -> Raw:
        path = f"/v1/jobs/{self._identity}-{self._number}?wait={self._options.answer_seconds / 2:g}"
        try:
            status, body = await self._hosts.call(host, "POST", path, self._body)
            while status == 202:
                status, body = await self._hosts.call(host, "GET", path, None)
        except asyncio.CancelledError:
            # Nobody waits for it any more; that the host hears of it is a courtesy.
            self._sandbox.tell(self._hosts.call(host, "DELETE", path, None))
            raise
        try:
            return messages.unpack_raw(body)
        except messages.MessageError as error:
            raise Lost(f"an answer that is none: {error}") from None

    def _failed(self, host: Host, error: str) -> None:
        self._attempts += 1
        self._stats.last_error = error
        self._avoid = [host] if len(self._hosts.all) > 1 else []


def _host_of(url: str) -> str:
    from urllib.parse import urlsplit

    return urlsplit(url).hostname or ""
