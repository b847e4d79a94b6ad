"""Sandbox hosts behind HTTP: who gets in, what is refused, and that nothing is lost or judged twice when
hosts are killed, stopped, full or going down. All of them are real processes."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from harness_code.verifier import CodeOptions, CodeVerifier
from harness_remote import messages
from harness_remote.client import RemoteSandbox
from harness_remote.options import RemoteOptions
from harness_sandbox.pool import SandboxError

from harness.contract.programs import Job
from harness.contract.records import Verdict
from tests.support.builders import rollout, task
from tests.support.sandbox_hosts import TOKEN, VARIABLE, Host, command, host
from tests.support.sandboxes import build_context, contained, sandbox
from tests.support.waiting import soon, until

#: How long a job sleeps that something is done to on its way: far more than a busy machine is late.
UNDER_WAY = 3.0


@pytest.fixture(autouse=True)
def _token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, TOKEN)


def _client(*hosts: Host, **options: Any) -> RemoteSandbox:
    return RemoteSandbox(RemoteOptions(servers=tuple(one.url for one in hosts), **options))


def _job(number: int, code: str = "", nap: float = 0.1) -> Job:
    """Prints twice the number, after a nap, unless there is other code."""
    code = code or f"import time; time.sleep({nap}); print(int(input()) * 2)"
    return Job(code, f"{number}\n".encode(), memory_mb=256, wall_seconds=60)


def _taken(one: Host) -> int:
    """Jobs that this host has taken so far."""
    return int(one.status()["desk"]["taken"])


def _name(body: bytes) -> str:
    return f"{secrets.token_hex(16)}-{messages.digest(body)}-0"


# Nothing is lost, nothing is judged twice ---------------------------------------------------------


def _verdicts(servers: tuple[str, ...], count: int, act: Any) -> list[Verdict]:
    """Judge so many programs, every third of them wrong, at once; `act` runs when some are done."""
    options = CodeOptions.model_validate(
        {"sandbox": {"name": "remote", "servers": servers, "patience": 60}, "run": "all_tests"}
    )
    verifier = CodeVerifier(options, build_context())
    verifier.open()
    try:
        futures = []
        for n in range(count):
            answer = {
                "kind": "stdio",
                "tests": [{"input": f"{n} {k}\n", "output": f"{n + k}\n"} for k in range(2)],
                "limits": {"memory_mb": 256, "wall_seconds": 60},
            }
            sign = "-" if n % 3 == 0 else "+"
            code = f"import time\na, b = map(int, input().split())\ntime.sleep(0.1)\nprint(a {sign} b)"
            text = f"```python\n{code}\n```"
            futures.append(verifier.submit(task(answer, id=f"t{n}", verifier="code"), rollout(text)))
        until(lambda: sum(f.done() for f in futures) >= count // 4, 120, what="a quarter of the verdicts")
        act()
        assert not all(future.done() for future in futures)
        return [future.result(timeout=300) for future in futures]
    finally:
        verifier.close()


@pytest.mark.parametrize("kind", ["", pytest.param("docker", marks=pytest.mark.docker)])
def test_one_of_two_hosts_is_killed_under_load_and_no_job_is_lost(kind: str) -> None:
    if kind:
        with sandbox(kind):  # builds its image
            pass
    with host(kind=kind) as first, host(kind=kind) as second:
        verdicts = _verdicts((first.url, second.url), 60, first.kill)
        for n, verdict in enumerate(verdicts):
            # With b = 0 a wrong sign shows in nothing: one of the two tests passes.
            expected = ("partial", 0.5) if n % 3 == 0 else ("pass", 1.0)
            assert (verdict.status, verdict.score) == expected, verdict
            assert (verdict.tests_run, verdict.complete) == (2, True)
        told = second.status()
        # What the dead host had not answered was run by the other, each once.
        assert 0 < told["desk"]["taken"] <= 120
        assert told["pool"]["jobs"] == told["desk"]["taken"]


def test_all_hosts_are_killed_and_every_job_left_is_an_infra_error() -> None:
    with host(slots=1) as first, host(slots=1) as second, _client(first, second, patience=1.0) as client:

        async def go() -> list[Any]:
            # The first one is quick, and the others are at it for longer than killing takes.
            naps = [0.1, *[10.0] * 11]
            tasks = [asyncio.create_task(client.run(_job(n, nap=nap))) for n, nap in enumerate(naps)]
            await tasks[0]
            await asyncio.to_thread(first.kill)
            await asyncio.to_thread(second.kill)
            return await asyncio.gather(*tasks)

        raws = asyncio.run(go())
        broken = [raw for raw in raws if raw.status == "infra_error"]
        assert broken
        assert raws[0] not in broken
        assert all("no sandbox host could be reached" in raw.reason and not raw.stdout for raw in broken)
        for n, raw in enumerate(raws):
            assert raw in broken or raw.stdout == f"{2 * n}\n".encode()


def test_a_host_that_comes_back_is_used_again() -> None:
    with host() as first, _client(first, patience=120.0) as client:
        assert client.run_sync(_job(1)).stdout == b"2\n"
        first.kill()
        waiting = client.submit(_job(2))
        with host(port=first.port) as again:
            assert waiting.result(timeout=120).stdout == b"4\n"
            assert again.status()["desk"]["taken"] == 1


def test_a_host_that_hangs_is_found_out_and_its_jobs_go_elsewhere() -> None:
    hasty, patient = ("--drain-seconds", "0.5"), {"answer_seconds": 4.0, "attempts": 20}
    with host(*hasty) as first, host() as second, _client(first, second, **patient) as client:
        futures = [client.submit(_job(n, nap=UNDER_WAY)) for n in range(4)]
        until(lambda: _taken(first) >= 1)
        os.kill(first.process.pid, signal.SIGSTOP)
        raws = [future.result(timeout=120) for future in futures]
        assert [raw.stdout for raw in raws] == [f"{2 * n}\n".encode() for n in range(4)]
        assert client.stats.lost >= 1


def test_a_job_that_is_longer_than_a_request_is_asked_after() -> None:
    # A request is held for half of that.
    with host() as only, _client(only, answer_seconds=4.0, attempts=20) as client:
        raw = client.run_sync(_job(4, nap=7.0))
        assert raw.stdout == b"8\n"
        told = only.status()["desk"]
        assert told["taken"] == 1
        assert told["repeats"] >= 2


def test_a_connection_that_is_cut_finds_the_same_execution_again() -> None:
    """The client asks through a relay, which loses the answer's way back."""
    with host() as only, _relay(only.port) as relay:
        address = f"http://127.0.0.1:{relay.port}"
        with RemoteSandbox(RemoteOptions(servers=(address,))) as client:
            future = client.submit(_job(5, nap=UNDER_WAY))
            until(lambda: _taken(only) == 1)
            relay.cut()
            assert future.result(timeout=60).stdout == b"10\n"
        told = only.status()
        assert told["desk"]["taken"] == told["pool"]["jobs"] == 1
        assert told["desk"]["repeats"] >= 1


def test_an_infra_error_of_one_host_is_asked_of_another() -> None:
    """A host whose sandboxes cannot be started any more answers, and is believed to know nothing."""
    with host() as well, _broken_host() as broken, _client(broken, well) as client:
        raws = [client.run_sync(_job(n)) for n in range(4)]
        assert [raw.stdout for raw in raws] == [f"{2 * n}\n".encode() for n in range(4)]
        assert broken.status()["pool"]["infra_errors"] >= 1
    with _broken_host() as broken, _client(broken, attempts=2) as client:
        raw = client.run_sync(_job(1))
        assert (raw.status, raw.stdout) == ("infra_error", b"")
        assert "tried 2 times" in raw.reason


@contextlib.contextmanager
def _broken_host() -> Iterator[Host]:
    code = """
import asyncio, sys
from harness_remote.serve import Serving, serve
from harness_sandbox.channel import StartError
from harness_sandbox.options import PoolOptions
from harness_sandbox.pool import SandboxPool
class Launcher:
    kind, warm = "broken", True
    def start(self, slot): raise StartError("no such engine")
    def sweep(self): return 0
    def close(self): pass
pool = SandboxPool(Launcher(), PoolOptions(slots=1, memory_mb=512, recovery_seconds=0.1))
serve(pool, Serving(host="127.0.0.1", port=0, token=sys.argv[1], host_named=True, drain_seconds=1))
"""
    process = subprocess.Popen([sys.executable, "-c", code, TOKEN], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield Host(process, process.stdout.readline().partition(" at ")[2].split(",")[0])
    finally:
        process.terminate()
        process.wait(timeout=60)
        assert process.stdout is not None
        process.stdout.close()


class _Relay:
    """Passes bytes on between a client and a port; `cut` ends all connections of now."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._live: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self._target))
            self._live += [client, server]
            for source, sink in ((client, server), (server, client)):
                threading.Thread(target=self._pump, args=(source, sink), daemon=True).start()

    @staticmethod
    def _pump(source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)

    def cut(self) -> None:
        live, self._live = self._live, []
        for end in live:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()


@contextlib.contextmanager
def _relay(port: int) -> Iterator[_Relay]:
    relay = _Relay(port)
    try:
        yield relay
    finally:
        relay.close()


# Going down ---------------------------------------------------------------------------------------


def test_a_host_told_to_go_finishes_what_it_has_and_takes_nothing_new() -> None:
    with host() as first, host() as second, _client(first, second) as client:
        futures = [client.submit(_job(n, nap=UNDER_WAY)) for n in range(4)]
        until(lambda: _taken(first) >= 1)
        had = _taken(first)
        first.process.terminate()
        late = [client.submit(_job(n)) for n in range(4, 7)]
        outputs = [future.result(timeout=120).stdout for future in (*futures, *late)]
        assert outputs == [f"{2 * n}\n".encode() for n in range(7)]
        assert first.process.wait(timeout=60) == 0
        # What it had was not run elsewhere.
        assert _taken(second) <= 7 - had
        assert client.run_sync(_job(9)).stdout == b"18\n"


# Who gets in --------------------------------------------------------------------------------------


def test_only_who_has_the_token_gets_in() -> None:
    with host() as only:
        for path, method in (("/v1/status", "GET"), (f"/v1/jobs/{'0' * 32}-{'0' * 16}-0", "POST")):
            for token in (None, "", "wrong", TOKEN + "x", TOKEN[:-1], "\xe9" * 31):
                code, headers, body = only.ask(path, method=method, body=b"" if method == "POST" else None,
                                               token=token)  # fmt: skip
                assert code == 401
                assert headers["WWW-Authenticate"] == "Bearer"
                assert TOKEN not in body.decode()
        assert only.status()["desk"]["taken"] == 0
        assert only.ask("/healthz", token=None)[0] == 200


def test_a_client_with_a_wrong_token_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    with host() as only:
        monkeypatch.setenv(VARIABLE, "another-token-of-the-tests")
        with pytest.raises(SandboxError, match="does not take our token"):
            _client(only)


def test_a_client_without_any_host_does_not_start() -> None:
    with pytest.raises(SandboxError, match=r"no sandbox host answers: http://127.0.0.1:9: no connection"):
        RemoteSandbox(RemoteOptions(servers=("http://127.0.0.1:9",)))


@pytest.mark.parametrize(
    ("words", "token", "what"),
    [
        ((), "", "without a token anybody"),
        (("--host", "0.0.0.0"), "", "without a token anybody"),
        (("--host", "127.0.0.1"), "short", "too short"),
        (("--kind", "unsafe-local"), TOKEN, "must not run other people's programs"),
        (("--token-file", "/nowhere/token"), "", "cannot be read"),
    ],
)
def test_it_does_not_start_where_anybody_could_run_programs(
    words: tuple[str, ...], token: str, what: str
) -> None:
    environment = {**os.environ, VARIABLE: token}
    done = subprocess.run(
        command("--port", "0", *words),
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 2
    assert what in done.stderr
    assert not done.stdout


def test_without_a_token_only_on_a_loopback_address_that_was_asked_for() -> None:
    with host("--host", "127.0.0.1", token="") as only:
        assert only.ask("/v1/status", token=None)[0] == 200


def test_the_token_is_nowhere_that_a_program_could_see() -> None:
    with host() as only, _client(only) as client:
        assert TOKEN not in "".join(only.process.args)  # type: ignore[arg-type]
        code = """
import os, glob
seen = repr(dict(os.environ))
for path in glob.glob('/proc/*/environ') + glob.glob('/proc/*/cmdline'):
    try: seen += open(path, 'rb').read().decode('latin-1')
    except OSError: pass
print('a-token-of' in seen)
"""
        assert client.run_sync(_job(0, code)).stdout == b"False\n"


# What is refused ----------------------------------------------------------------------------------


def test_a_full_host_says_so_at_once_and_when_to_come_back() -> None:
    with host("--queue", "2", "--drain-seconds", "0.5") as only:
        body = messages.pack_job(_job(1, nap=UNDER_WAY))
        codes = [only.ask(f"/v1/jobs/{_name(body)}?wait=0", method="POST", body=body) for _ in range(8)]
        taken = [code for code, _, _ in codes if code == 202]
        refused = [headers for code, headers, _ in codes if code == 429]
        # One runs and two wait; a slow machine may be done with some meanwhile.
        assert 2 <= len(taken) < 8
        assert len(taken) + len(refused) == 8
        assert all(1 <= int(headers["Retry-After"]) <= 10 for headers in refused)
        assert only.status()["desk"]["refused"] == len(refused)
        # A client waits and comes back: what is refused is not lost.
        with _client(only, concurrency=8) as client:
            futures = [client.submit(_job(n)) for n in range(8)]
            assert [f.result(timeout=300).stdout for f in futures] == [
                f"{2 * n}\n".encode() for n in range(8)
            ]
            assert client.stats.busy >= 1
            assert client.stats.infra_errors == 0


def test_what_is_no_job_is_refused_and_not_run() -> None:
    with host() as only:
        good = messages.pack_job(_job(1))
        huge = messages.pack_job(Job("1", memory_mb=1 << 20))
        cases = [
            ("/v1/jobs/short", good, 400),
            (f"/v1/jobs/{_name(b'other')}", good, 400),
            (f"/v1/jobs/{_name(b'rubbish')}", b"rubbish", 400),
            (f"/v1/jobs/{_name(good[:-3])}", good[:-3], 400),
            (f"/v1/jobs/{_name(huge)}", huge, 400),
            (f"/v1/jobs/{_name(good)}?wait=soon", good, 400),
        ]
        for path, body, code in cases:
            assert only.ask(path, method="POST", body=body)[0] == code, path
        assert only.ask(f"/v1/jobs/{_name(good)}")[0] == 404
        assert only.status()["desk"]["taken"] == 0


def test_a_body_that_is_too_long_is_refused_before_it_is_read() -> None:
    with host() as only, socket.create_connection(("127.0.0.1", only.port)) as plain:
        head = (
            f"POST /v1/jobs/{_name(b'')} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n"
            f"Content-Length: {1 << 40}\r\n\r\n"
        )
        plain.sendall(head.encode())
        assert plain.recv(1000).startswith(b"HTTP/1.1 413 ")


def test_a_job_that_asks_for_too_much_is_our_mistake() -> None:
    with host() as only, _client(only) as client, pytest.raises(SandboxError, match="asks for 600 MiB"):
        client.run_sync(Job("1", memory_mb=600))


def test_a_cancelled_job_is_taken_back() -> None:
    with host() as only, _client(only) as client:

        async def cancel() -> None:
            first = asyncio.create_task(client.run(_job(1, nap=5.0)))
            await soon(lambda: _taken(only) == 1)
            second = asyncio.create_task(client.run(_job(2)))
            await soon(lambda: _taken(only) == 2)
            second.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await second
            await soon(lambda: only.status()["open"] == 1)
            assert not first.done()
            assert (await first).stdout == b"2\n"

        asyncio.run(cancel())
        told = only.status()
        assert (told["pool"]["jobs"], told["open"]) == (1, 0)


def test_large_programs_and_outputs_pass() -> None:
    with host() as only, _client(only) as client:
        text = "x" * 900_000
        raw = client.run_sync(
            Job(f"print(len({text!r})); print(input())", (text + "\n").encode(), memory_mb=256)
        )
        assert raw.stdout == b"900000\n" + text.encode() + b"\n"


def test_a_verifiers_hash_does_not_know_where_programs_run() -> None:
    local = CodeVerifier(CodeOptions.model_validate({"sandbox": {"name": contained()}}), build_context())
    options = {"sandbox": {"name": "remote", "servers": ["http://127.0.0.1:9"]}}
    assert CodeVerifier(CodeOptions.model_validate(options), build_context()).hash == local.hash
