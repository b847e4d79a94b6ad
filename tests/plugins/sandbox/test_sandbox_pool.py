"""The pool: a bounded queue, back-pressure, cancellation and recycling, over real servers."""

from __future__ import annotations

import asyncio
import threading

import pytest
from harness_sandbox.pool import SandboxBusy, SandboxError

from harness.contract.programs import Job
from tests.support.sandboxes import contained, run, sandbox
from tests.support.waiting import until

#: Holds a slot for longer than a busy machine is late.
NAP = Job("import time; time.sleep(2); print(1)", memory_mb=128, wall_seconds=30)
QUICK = Job("print(1)", memory_mb=128, wall_seconds=30)


def test_a_full_queue_refuses_who_does_not_wait() -> None:
    with sandbox(contained(), queue=2) as pool:
        run(pool, "")
        under_way = pool.submit(NAP)
        until(under_way.running)
        queued = [pool.submit(QUICK) for _ in range(2)]
        with pytest.raises(SandboxBusy, match="2 jobs are waiting"):
            pool.submit(QUICK)
        assert [future.result().stdout for future in (under_way, *queued)] == [b"1\n"] * 3
        assert pool.submit(QUICK).result().stdout == b"1\n"


def test_who_waits_gets_room_and_the_queue_stays_bounded() -> None:
    async def crowd(pool: object) -> tuple[list[bytes], int]:
        longest = 0
        tasks = [asyncio.create_task(pool.run(Job(f"print({n})", memory_mb=128))) for n in range(40)]  # type: ignore[attr-defined]
        while not all(task.done() for task in tasks):
            longest = max(longest, pool.waiting)  # type: ignore[attr-defined]
            await asyncio.sleep(0.001)
        return [task.result().stdout for task in tasks], longest

    with sandbox(contained(), queue=3) as pool:
        outputs, longest = asyncio.run(crowd(pool))
    assert outputs == [f"{n}\n".encode() for n in range(40)]
    assert longest <= 3


def test_a_cancelled_job_makes_room_and_is_not_run() -> None:
    async def cancel(pool: object) -> int:
        first = asyncio.create_task(pool.run(NAP))  # type: ignore[attr-defined]
        await asyncio.sleep(0.1)
        second = asyncio.create_task(pool.run(QUICK))  # type: ignore[attr-defined]
        await asyncio.sleep(0)
        second.cancel()
        with pytest.raises(asyncio.CancelledError):
            await second
        await first
        return pool.waiting  # type: ignore[attr-defined, no-any-return]

    with sandbox(contained()) as pool:
        run(pool, "")
        assert asyncio.run(cancel(pool)) == 0
        assert pool.stats.jobs == 2


def test_threads_and_event_loops_may_share_it() -> None:
    with sandbox(contained(), slots=2) as pool:
        outputs: list[bytes] = []
        threads = [
            threading.Thread(target=lambda n=n: outputs.append(run(pool, f"print({n})").stdout))
            for n in range(8)
        ]
        for thread in threads:
            thread.start()
        outputs += [pool.run_sync(Job("print(9)", memory_mb=128)).stdout]
        for thread in threads:
            thread.join()
    assert sorted(outputs) == [f"{n}\n".encode() for n in (*range(8), 9)]


def test_servers_are_replaced_after_their_share_of_jobs() -> None:
    with sandbox("namespaces", recycle_after=3) as pool:
        for number in range(7):
            assert run(pool, f"print({number})").stdout == f"{number}\n".encode()
        assert pool.stats.starts == 3
        assert pool.stats.anomalies == 0


def test_a_server_whose_files_cannot_be_wiped_is_replaced() -> None:
    deep = "import os\nfor _ in range(1500):\n    os.mkdir('d' * 20)\n    os.chdir('d' * 20)\n"
    with sandbox("namespaces") as pool:
        assert run(pool, deep).status == "ok"
        assert run(pool, "import os; print(os.listdir('/tmp'))").stdout == b"[]\n"
        assert pool.stats.starts == 2


def test_an_idle_server_is_probed_before_it_is_used() -> None:
    with sandbox("namespaces", probe_idle=0.0) as pool:
        run(pool, "")
        assert run(pool, "print(1)").stdout == b"1\n"
        assert pool.stats.starts == 1


def test_a_closed_pool_refuses() -> None:
    with sandbox(contained()) as pool:
        pool.close()
        with pytest.raises(SandboxError, match="closed"):
            run(pool, "")
