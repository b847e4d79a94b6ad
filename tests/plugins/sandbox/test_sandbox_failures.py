"""Killing what jobs run in: they come back judged rightly after recovery, or as infra errors; none is lost,
none gets a verdict that nobody computed."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from harness_code import cases, judge
from harness_code.verifier import summary
from harness_sandbox.canary import survivors, uid_ranges

from harness.contract.programs import Job, Raw
from harness.support.processes import process
from tests.support.docker_engine import own_engine
from tests.support.places import ROOT
from tests.support.sandboxes import WARM, build_context, sandbox, unavailable
from tests.support.waiting import alive, soon, until


def _job(number: int, nap: float = 2.0, wall: float = 30.0) -> Job:
    """Prints twice the number, after a nap: by default a longer one than a busy machine is late."""
    code = f"import time; time.sleep({nap}); print(int(input()) * 2)"
    return Job(code, f"{number}\n".encode(), memory_mb=256, wall_seconds=wall)


def _servers(pool: Any) -> list[int]:
    """Process ids, on this host, of the pool's servers."""
    if pool.kind == "docker":
        client = pool.launcher._client.api
        labels = {"label": "staged-harness.sandbox.owner"}
        mine = [c["Id"] for c in client.containers(filters=labels) if _ours(c)]
        from docker.errors import NotFound

        with contextlib.suppress(NotFound):
            pids = [client.inspect_container(one)["State"]["Pid"] for one in mine]
            # 0 is a container that is not running, and to `kill` our own process group.
            return [pid for pid in pids if pid > 0]
        return []
    return [int(p) for p in os.listdir("/proc") if p.isdecimal() and _is_server_of(int(p), os.getpid())]


def _ours(container: dict[str, Any]) -> bool:
    return f".{os.getpid()}." in container["Labels"]["staged-harness.sandbox.owner"]


def _is_server_of(pid: int, parent: int) -> bool:
    with contextlib.suppress(OSError):
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        running = process(pid)
        return (
            running is not None and running.parent == parent and any(w.endswith(b"enclose.py") for w in words)
        )
    return False


async def _under_way(pool: Any, jobs: int) -> None:
    """Until every slot has one of these jobs, and the job, by all odds, its process."""
    await asyncio.sleep(0.25)
    await soon(lambda: pool.waiting <= jobs - pool.options.width)


async def _while_running(pool: Any, jobs: int, act: Callable[[], None]) -> list[Raw]:
    tasks = [asyncio.create_task(pool.run(_job(n))) for n in range(jobs)]
    await _under_way(pool, jobs)
    await asyncio.to_thread(act)
    return await asyncio.gather(*tasks)


def _right(raws: list[Raw]) -> list[int]:
    """Numbers of the jobs that were answered, all rightly; every other is an infra error."""
    answered = []
    for number, raw in enumerate(raws):
        if raw.status == "infra_error":
            assert raw.reason
            assert raw.stdout == b""
        else:
            assert (raw.status, raw.stdout) == ("ok", f"{number * 2}\n".encode())
            answered.append(number)
    return answered


@pytest.mark.parametrize("kind", WARM)
def test_a_killed_server_costs_no_job(kind: str) -> None:
    with sandbox(kind, slots=2) as pool:
        asyncio.run(pool.run(_job(0, nap=0)))
        raws = asyncio.run(_while_running(pool, 4, lambda: [os.kill(p, 9) for p in _servers(pool)]))
        assert _right(raws) == [0, 1, 2, 3]
        assert pool.stats.retries >= 1
        assert pool.stats.infra_errors == 0
        assert not survivors(uid_ranges(pool), patience=30)


@pytest.mark.parametrize("kind", WARM)
def test_a_stopped_server_is_given_up_and_replaced(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness_sandbox.exchange.GRACE_SECONDS", 0.5)
    with sandbox(kind) as pool:
        asyncio.run(pool.run(_job(4, nap=0)))

        async def stop() -> Raw:
            task = asyncio.create_task(pool.run(_job(4, wall=8)))
            await _under_way(pool, 1)
            _signal_inside(pool, signal.SIGSTOP)
            return await task

        raw = asyncio.run(stop())
        assert (raw.status, raw.stdout) == ("ok", b"8\n")
        assert pool.stats.anomalies == 1


def _signal_inside(pool: Any, number: int) -> None:
    """Signal the process that serves, from outside its namespace."""
    for pid in _servers(pool):
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        target = pid if pool.kind == "docker" else int(children[0])
        os.kill(target, number)


@pytest.mark.parametrize("kind", WARM)
def test_a_job_whose_every_server_is_killed_is_an_infra_error(kind: str) -> None:
    with sandbox(kind) as pool:
        asyncio.run(pool.run(_job(0, nap=0)))
        over = False

        def keep_killing() -> None:
            while not over:
                for pid in _servers(pool):
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, 9)
                time.sleep(0.05)

        async def both() -> list[Any]:
            nonlocal over
            killer = asyncio.create_task(asyncio.to_thread(keep_killing))
            answer = cases.Stdio(tests=(cases.Case("1\n", "2\n"), cases.Case("2\n", "4\n")))
            try:
                # Long enough for a killer that has to share two cores to come by.
                results = await judge.judge(_job(0, nap=6).code, answer, pool, stop_at_failure=True)
            finally:
                over = True
                await killer
            return list(summary(results, 2))

        pool.options.__dict__["recovery_seconds"] = 3.0
        status, score, reason = asyncio.run(both())
        assert (status, score) == ("infra_error", None)
        assert reason
        # The sandbox is as good as new.
        pool.options.__dict__["recovery_seconds"] = 60.0
        assert asyncio.run(pool.run(_job(3, nap=0))).stdout == b"6\n"


def test_a_server_dies_with_its_launcher_whenever_that_is_killed() -> None:
    """Most of all right after the fork, before the server has asked to die with its parent."""
    with sandbox("namespaces") as pool:
        for pause in (0.0, 0.0, 0.0, 0.0005, 0.005, 0.02):
            channel, born = pool.launcher.start(0), time.monotonic()
            launcher = channel._process.pid
            children = Path(f"/proc/{launcher}/task/{launcher}/children")
            while not children.read_text():
                assert channel._process.poll() is None, channel.last_words()
                assert time.monotonic() < born + 60, "no server within 60 s"
            server = int(children.read_text())
            time.sleep(pause)
            os.kill(launcher, signal.SIGKILL)
            channel._process.wait()
            late = f"the end of a server whose launcher was killed after {pause} s"
            until(lambda pid=server: not alive(pid), 60, what=late)
            channel.kill()


def test_closing_gives_back_what_waits() -> None:
    with sandbox("namespaces") as pool:

        async def close() -> list[Raw]:
            tasks = [asyncio.create_task(pool.run(_job(n, nap=3))) for n in range(4)]
            await _under_way(pool, 4)
            await asyncio.to_thread(pool.close)
            return await asyncio.gather(*tasks)

        raws = asyncio.run(close())
        assert len(_right(raws)) <= 1
        assert {raw.reason for raw in raws[1:]} == {"the sandbox was closed"}


@pytest.mark.parametrize("kind", WARM)
def test_what_a_crashed_run_left_is_swept(kind: str) -> None:
    script = f"""
import asyncio, os, sys
sys.path.insert(0, {str(ROOT)!r})
from tests.support.docker_engine import own_engine
from tests.support.sandboxes import run, sandbox
with sandbox({kind!r}) as pool:
    run(pool, "print(1)")
    bases = pool.launcher.uid_bases
    print(os.getpid(), *bases, flush=True)
    os.kill(os.getpid(), 9)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    pid, *_ = done.stdout.split()
    with sandbox(kind) as pool:
        if kind == "docker":
            listed = pool.launcher._client.api.containers(all=True)
            owners = [c["Labels"].get("staged-harness.sandbox.owner", "") for c in listed]
            assert not [owner for owner in owners if f".{pid}." in owner]
        else:
            assert not list(Path("/sys/fs/cgroup").glob(f"*/staged-harness-*.{pid}.*"))
            assert not list(Path("/sys/fs/cgroup").glob(f"staged-harness-*.{pid}.*"))


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
    with own_engine(monkeypatch) as start:
        yield start


@pytest.mark.docker
def test_a_killed_engine_costs_no_job(engine: Callable[[], subprocess.Popen[bytes]]) -> None:
    first = engine()
    with sandbox("docker", slots=2) as pool:
        asyncio.run(pool.run(_job(0, nap=0)))

        def restart() -> None:
            first.kill()
            first.wait()
            time.sleep(0.5)
            engine()

        raws = asyncio.run(_while_running(pool, 6, restart))
        assert _right(raws) == [0, 1, 2, 3, 4, 5]
        assert pool.stats.infra_errors == 0


@pytest.mark.docker
def test_without_an_engine_the_kind_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    with pytest.raises(Exception, match=r"unix:///nowhere/docker.sock[\s\S]*no Docker engine answers"):
        build_context().build("sandboxes", "docker", {})


def test_auto_fails_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    monkeypatch.setattr("harness_sandbox.namespaces.unavailable", lambda: "not on this host")
    monkeypatch.setattr("harness_sandbox.bubblewrap.unavailable", lambda: "no bwrap")
    with pytest.raises(Exception, match=r"docker: [\s\S]*namespaces: not on this host[\s\S]*no bwrap"):
        build_context().build("sandboxes", "auto", {})


def test_auto_takes_the_best_that_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    if unavailable("namespaces"):
        pytest.skip(f"SANDBOX namespaces: {unavailable('namespaces')}")
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    made = build_context().build("sandboxes", "auto", {"slots": 1})
    try:
        assert made.kind == "namespaces"
    finally:
        made.close()


def test_unsafe_has_to_be_asked_for_in_words() -> None:
    with pytest.raises(Exception, match=r"contains nothing[\s\S]*i_know_what_i_do"):
        build_context().build("sandboxes", "unsafe-local", {})
