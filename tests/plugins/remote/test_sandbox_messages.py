"""Jobs and outcomes on their way between hosts: what is sent arrives, and what is not ours is refused."""

from __future__ import annotations

from typing import Any

import pytest
from harness_remote import messages
from harness_remote.tokens import Guard, read
from harness_sandbox.pool import SandboxError
from hypothesis import given
from hypothesis import strategies as st

from harness.contract.programs import Job, Raw

#: Code that a model wrote may hold anything that a Python string can, lone surrogates among it.
TEXT = st.text(st.characters(exclude_categories=()), max_size=200)
PLAIN = st.none() | st.booleans() | st.integers(-(10**1500), 10**1500) | st.floats(allow_nan=False)
VALUES = st.recursive(
    PLAIN | st.text(max_size=20) | st.binary(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.tuples(inner, inner) | st.dictionaries(st.text(max_size=5), inner)
    ),
    max_leaves=10,
)
JOBS = st.builds(
    Job,
    code=TEXT,
    stdin=st.binary(max_size=500),
    entry_point=st.none() | st.just("solve"),
    calls=st.lists(st.lists(VALUES, max_size=3), max_size=3),
    language=st.sampled_from(["python", "cpp"]),
    cpu_seconds=st.floats(0.01, 3600),
    wall_seconds=st.floats(0.01, 3600),
    memory_mb=st.integers(1, 1 << 20),
    output_bytes=st.integers(1, 1 << 20),
    expressions=st.lists(st.text(max_size=20), max_size=3),
    tests=st.text(max_size=50),
    names=st.lists(st.text(max_size=5), max_size=2),
    token=st.text(max_size=20),
    binary=st.binary(max_size=50),
    trace=st.booleans(),
)
RAWS = st.builds(
    Raw,
    status=st.sampled_from(["ok", "error", "time_limit", "infra_error"]),
    exit=st.none() | st.integers(0, 255),
    stdout=st.binary(max_size=200),
    stderr=st.binary(max_size=200),
    result=st.binary(max_size=200),
    wall_s=st.floats(0, 100),
    cpu_s=st.floats(0, 100),
    peak_mb=st.floats(0, 100),
    signal=st.none() | st.integers(1, 64),
    strays=st.integers(0, 100),
    reason=st.text(max_size=100),
    queue_s=st.floats(0, 100),
    trace=st.binary(max_size=200),
    untraced=st.text(max_size=100),
)


@given(JOBS)
def test_a_job_arrives_as_it_was_sent(job: Job) -> None:
    assert messages.unpack_job(messages.pack_job(job)) == job


@given(RAWS)
def test_an_outcome_arrives_as_it_was_sent(raw: Raw) -> None:
    assert messages.unpack_raw(messages.pack_raw(raw)) == raw


@given(st.binary(max_size=300))
def test_rubbish_is_refused(data: bytes) -> None:
    for unpack in (messages.unpack_job, messages.unpack_raw):
        with pytest.raises(messages.MessageError):
            unpack(data)


@given(JOBS, st.data())
def test_a_message_that_was_cut_is_refused(job: Job, data: Any) -> None:
    whole = messages.pack_job(job)
    cut = whole[: data.draw(st.integers(0, len(whole) - 1))]
    with pytest.raises(messages.MessageError):
        messages.unpack_job(cut)


@pytest.mark.parametrize(
    "change", [{"cpu_seconds": 0}, {"wall_seconds": 1e9}, {"memory_mb": -1}, {"output_bytes": 1 << 40}]
)
def test_limits_that_no_sandbox_has_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(messages.MessageError, match="not a job"):
        messages.unpack_job(messages.pack_job(Job("1", **change)))


@given(st.text(st.characters(codec="ascii"), min_size=16), st.text())
def test_a_guard_admits_its_token_alone(token: str, other: str) -> None:
    guard = Guard(token)
    assert guard.admits(f"Bearer {token}")
    assert not guard.admits(token)
    assert not guard.admits(None)
    assert guard.admits(f"Bearer {other}") is (other == token)


def test_a_token_comes_from_a_file_or_a_variable(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "token"
    file.write_text("from-the-file-0123456789\n")
    monkeypatch.setenv("TOKEN_OF_TESTS", " from-the-variable-0123456789 ")
    assert read(file, "TOKEN_OF_TESTS") == "from-the-file-0123456789"
    assert read("", "TOKEN_OF_TESTS") == "from-the-variable-0123456789"
    monkeypatch.delenv("TOKEN_OF_TESTS")
    assert read("", "TOKEN_OF_TESTS") == ""
    for text in ("", "brief", "with space in between", "schlüssel-schlüssel-schlüssel"):
        file.write_text(text)
        with pytest.raises(SandboxError) as caught:
            read(file, "TOKEN_OF_TESTS")
        assert text == "" or text not in str(caught.value)
