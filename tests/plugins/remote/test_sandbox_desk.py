"""What a front holds in memory is what it counts, and no longer than it is wanted."""

from __future__ import annotations

import asyncio
import gzip
import secrets
import time
import urllib.error
import urllib.request

import pytest
from harness_remote import messages
from harness_remote.desk import Desk

from harness.contract.programs import Job
from tests.support.sandbox_hosts import TOKEN, VARIABLE, host
from tests.support.sandboxes import contained, sandbox

NAP = Job("import time; time.sleep(15)", memory_mb=128, wall_seconds=20)


@pytest.fixture(autouse=True)
def _token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, TOKEN)


def _path(body: bytes) -> str:
    return f"/v1/jobs/{secrets.token_hex(16)}-{messages.digest(body)}-0?wait=0"


def test_a_job_that_nobody_wants_leaves_the_queue_at_once() -> None:
    body = messages.pack_job(NAP)
    paths = [_path(body) for _ in range(3)]
    with host() as only:
        for path in paths:
            assert only.ask(path, method="POST", body=body)[0] == 202
        deadline = time.monotonic() + 10
        while only.status()["waiting"] != 2:
            assert time.monotonic() < deadline
        assert only.ask(paths[1], method="DELETE")[0] == 204
        assert only.status()["waiting"] == 1
        only.kill()


def test_a_job_that_would_grow_as_it_is_read_is_refused() -> None:
    body = gzip.compress(bytes(1 << 20))
    with host() as only:
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Encoding": "gzip"}
        request = urllib.request.Request(only.url + _path(body), data=body, headers=headers, method="POST")
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(request, timeout=30)
        caught.value.close()
    assert caught.value.code == 415


def test_results_are_kept_once_packed_and_the_delivered_go_first() -> None:
    async def go() -> None:
        with sandbox(contained()) as pool:
            desk = Desk(pool, job_bytes=1 << 20, result_bytes=5000)
            loud = Job("print('x' * 2000)", memory_mb=128)
            entries = []
            for name in ("kept", "delivered", "last"):
                entries.append(entry := desk.take(name, loud, 100))
                assert await desk.wait(entry, 30)
                assert entry.running is None
                assert len(entry.body) > 2000
                entry.collected = name == "delivered"
            assert [desk.find(entry.name) for entry in entries] == [entries[0], None, entries[2]]

    asyncio.run(go())
