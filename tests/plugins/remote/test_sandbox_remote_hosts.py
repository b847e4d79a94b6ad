"""The kind `remote`: what hosts take and refuse, and that one host's trouble is not another's."""

from __future__ import annotations

import asyncio
import contextlib
import http.server
import json
import secrets
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from harness_livecodebench.options import GraderOptions
from harness_livecodebench.store import Store
from harness_livecodebench.strict import StrictGrader
from harness_remote import hosts as hosts_module
from harness_remote import messages
from harness_remote.client import RemoteSandbox
from harness_remote.hosts import Hosts, Unreached
from harness_remote.options import RemoteOptions
from harness_sandbox.pool import SandboxError

from harness.contract.programs import Job
from harness.contract.records import Verdict
from harness.plugging.plugins import load
from harness.testing.workbench import context
from tests.support.builders import rollout, task
from tests.support.sandbox_hosts import TOKEN, VARIABLE, Host, host
from tests.support.sandboxes import build_context

DOUBLE = "print(int(input()) * 2)"


@pytest.fixture(autouse=True)
def _token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, TOKEN)


def _client(*hosts: Host, **options: Any) -> RemoteSandbox:
    return RemoteSandbox(RemoteOptions(servers=tuple(one.url for one in hosts), **options))


def _job(number: int, code: str = DOUBLE, **how: Any) -> Job:
    return Job(code, f"{number}\n".encode(), **{"memory_mb": 256, "wall_seconds": 20, **how})


def _name(body: bytes) -> str:
    return f"{secrets.token_hex(16)}-{messages.digest(body)}-0"


# What is taken -------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [2, 1 << 20, 20 << 20])
def test_what_a_grader_allows_is_what_a_host_takes(size: int) -> None:
    limits = StrictGrader(GraderOptions(), build_context()).limits([("", "x" * size)])
    assert limits.output_bytes > size
    job = Job("", output_bytes=limits.output_bytes, result_bytes=limits.result_bytes)
    taken = messages.unpack_job(messages.pack_job(job))
    assert (taken.output_bytes, taken.result_bytes) == (limits.output_bytes, limits.result_bytes)


def _graded(servers: tuple[str, ...], cache: Path, count: int = 1) -> list[Verdict]:
    """Verdicts on so many right programs, each of a problem of its own."""
    made = context(load(), cache)
    options = {"sandbox": {"name": "remote", "servers": servers}, "memory_mb": 256, "time_factor": 3.0}
    grader = StrictGrader(GraderOptions.model_validate(options), made)
    grader.open()
    try:
        futures = []
        for n in range(count):
            tests = Store(cache).put([(f"{n}\n", f"{2 * n}\n"), ("4\n", "8\n")])
            asked = {"kind": "livecodebench", "tests": tests, "count": 2}
            judged = task(asked, id=f"t{n}", verifier="lcb-strict")
            futures.append(grader.submit(judged, rollout(f"```python\n{DOUBLE}\n```")))
        return [future.result(timeout=60) for future in futures]
    finally:
        grader.close()


def test_a_livecodebench_program_is_judged_on_a_host(tmp_path: Path) -> None:
    with host() as only:
        (verdict,) = _graded((only.url,), tmp_path)
    assert (verdict.status, verdict.score, verdict.reason) == ("pass", 1.0, "")


def test_as_many_problems_are_under_way_as_the_hosts_have_slots_for(tmp_path: Path) -> None:
    with host(slots=4) as first, host(slots=2) as second, _client(first, second) as client:
        assert client.width == 6
        grader = StrictGrader(GraderOptions(), context(load(), tmp_path))
        assert sum(grader._limited(client).ticket().done() for _ in range(20)) == 12


def test_a_job_that_is_too_large_for_a_host_says_so_and_is_not_sent() -> None:
    with host("--body-mb", "1") as only, _client(only) as client:
        with pytest.raises(SandboxError, match="body-mb"):
            client.run_sync(Job(DOUBLE, b"1\n" + bytes(1 << 20), memory_mb=256))
        assert client.run_sync(_job(1)).stdout == b"2\n"
        assert only.status()["desk"]["taken"] == 1


def test_a_language_that_a_host_lacks_is_refused_and_no_compile_error() -> None:
    with host() as only, _client(only) as client:
        with pytest.raises(SandboxError, match="'cpp', which not every host has"):
            client.run_sync(_job(1, "int main() {}", language="cpp"))
        # A host says so itself to who does not look.
        body = messages.pack_job(_job(1, "int main() {}", language="cpp"))
        code, _, answer = only.ask(f"/v1/jobs/{_name(body)}", method="POST", body=body)
        assert code == 400
        assert b"'cpp'" in answer


# One host's trouble is its own ---------------------------------------------------------------------


@contextlib.asynccontextmanager
async def _mute() -> AsyncIterator[tuple[str, list[int]]]:
    """The address of a host that takes connections and says nothing, and a list that grows by them."""
    taken: list[int] = []
    ended = asyncio.Event()

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        taken.append(1)
        await ended.wait()
        writer.close()

    server = await asyncio.start_server(hang, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", taken
    finally:
        ended.set()
        server.close()


def test_a_host_that_hangs_is_looked_at_once_for_all_who_wait() -> None:
    async def go() -> None:
        async with _mute() as (url, taken):
            hosts = Hosts(RemoteOptions(servers=(url,), answer_seconds=0.5), TOKEN)
            try:
                (mute,) = hosts.all
                mute.room = 8
                learnt = await asyncio.gather(*[hosts.learn(mute) for _ in range(8)], return_exceptions=True)
                assert [type(one) for one in learnt] == [Unreached] * 8
                assert len(taken) == 1
            finally:
                await hosts.close()

    asyncio.run(go())


def test_one_job_alone_goes_to_a_host_that_is_not_known() -> None:
    async def go() -> None:
        hosts = Hosts(RemoteOptions(servers=("http://127.0.0.1:9",)), TOKEN)
        try:
            (lost,) = hosts.all
            lost.room = 8
            asked = [asyncio.create_task(hosts.acquire((), 0.0)) for _ in range(8)]
            done, others = await asyncio.wait(asked, timeout=0.3)
            assert len(done) == 1
            # It is found out to be well: the others may follow.
            lost.known, lost.looking = True, False
            await hosts.release(lost)
            await asyncio.wait_for(asyncio.gather(*others), 30)
        finally:
            await hosts.close()

    asyncio.run(go())


def test_a_host_whose_status_hangs_costs_no_job_a_try() -> None:
    async def go(well: Host) -> None:
        async with _mute() as (url, taken):
            options = RemoteOptions(servers=(url, well.url), attempts=1, answer_seconds=1.0, backoff=0.001)
            client = await asyncio.to_thread(RemoteSandbox, options)
            waits = []
            for number in range(5):
                raw = await client.run(_job(number))
                assert (raw.status, raw.stdout) == ("ok", b"%d\n" % (2 * number)), raw
                waits.append(raw.queue_s)
            await asyncio.to_thread(client.close)
            assert len(taken) >= 2
            # Who found it out says how long that took.
            assert max(waits) > 0.9

    with host() as well:
        asyncio.run(go(well))


def test_a_connection_that_does_not_come_about_is_no_lost_job() -> None:
    with socket.socket() as full, contextlib.ExitStack() as stack:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(4):  # what the kernel takes on for who does not accept
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())

        async def go() -> None:
            hosts = Hosts(RemoteOptions(servers=(f"http://127.0.0.1:{full.getsockname()[1]}",)), TOKEN)
            try:
                with pytest.raises(Unreached, match="no connection"):
                    await hosts.call(hosts.all[0], "POST", "/v1/jobs/x", b"")
            finally:
                await hosts.close()

        asyncio.run(go())


# Whoever goes leaves nothing behind ----------------------------------------------------------------


def _until(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came to be"
        time.sleep(0.01)


def test_a_job_that_is_cancelled_before_it_began_gives_its_place_back() -> None:
    with host() as only, _client(only, queue=1) as client:
        held = threading.Event()
        client._loop.call_soon_threadsafe(held.wait)
        assert client.submit(_job(1)).cancel()
        held.set()
        assert client.submit(_job(2)).result(timeout=30).stdout == b"4\n"


def test_hosts_hear_that_a_client_closed() -> None:
    nap = "import time; time.sleep(15)"
    with host() as only:
        with _client(only) as client:
            futures = [client.submit(_job(n, nap)) for n in range(3)]
            _until(lambda: only.status()["open"] == 3)
        assert {future.result(timeout=1).status for future in futures} == {"infra_error"}
        _until(lambda: only.status()["open"] == 1, 12)
        only.kill()


def test_hosts_whose_programs_run_in_different_pythons_are_not_mixed() -> None:
    with host() as first:
        told = first.status()

        class Other(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.end_headers()
                self.wfile.write(json.dumps({**told, "python": "CPython 3.99.0 x86_64"}).encode())

        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Other) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            try:
                servers = (first.url, f"http://127.0.0.1:{server.server_port}")
                with pytest.raises(SandboxError, match="its programs run in CPython"):
                    RemoteSandbox(RemoteOptions(servers=servers))
            finally:
                server.shutdown()


@pytest.mark.parametrize("asked", ["nan", float("nan"), "soon", None, 10**400])
def test_a_pause_that_is_no_number_is_a_second(asked: Any) -> None:
    assert hosts_module._seconds(asked) == 1.0


@pytest.mark.parametrize("slots", [0, -1, "2", 1e300])
def test_a_host_without_room_is_refused_and_not_waited_for(slots: Any) -> None:
    status = {
        "slots": slots, "protocol": messages.PROTOCOL, "runner": messages.runner(), "kind": "k",
        "memory_mb": 1,
        "body_bytes": 1, "language": "", "draining": False,
    }  # fmt: skip

    async def answer(request: web.Request) -> web.Response:
        return web.json_response(status)

    async def go() -> None:
        app = web.Application()
        app.router.add_get("/v1/status", answer)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        known = Hosts(RemoteOptions(servers=(f"http://127.0.0.1:{runner.addresses[0][1]}",)), TOKEN)
        try:
            with pytest.raises(SandboxError, match="slots"):
                await known.first_look()
        finally:
            await known.close()
            await runner.cleanup()

    asyncio.run(go())
