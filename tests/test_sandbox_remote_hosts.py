"""The kind `remote`: what hosts take and refuse, and that one host's trouble is not another's."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

import pytest
from harness_livecodebench.options import GraderOptions
from harness_livecodebench.store import Store
from harness_livecodebench.strict import StrictGrader
from harness_remote import messages
from harness_remote.client import RemoteSandbox
from harness_remote.options import RemoteOptions
from harness_sandbox.pool import SandboxError
from support.sandbox_hosts import TOKEN, VARIABLE, Host, host
from support.sandboxes import build_context

from harness.plugins import load
from harness.protocols import Job
from harness.records import Verdict
from harness.testing.workbench import context
from tests.builders import rollout, task

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
        assert code == 400 and b"'cpp'" in answer
