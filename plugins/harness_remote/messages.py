"""Jobs and their outcomes as bytes: frames of `harness_runner.frames`, the same as inside a sandbox.

Programs, inputs and outputs travel as they are; what is structured travels as JSON, with call arguments
tagged by `harness_runner.values`, so that a tuple arrives as a tuple. Nothing is ever unpickled.
"""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping
from typing import Annotated, Any, Final

import harness_runner
import msgspec
from harness_runner import frames, values
from harness_sandbox import exchange

from harness.contract import Job, Raw, RawStatus

#: Version of these messages and of the paths they are sent to.
PROTOCOL: Final = 1
CONTENT_TYPE: Final = "application/x-harness-frame"
_REASON: Final = 2000


class MessageError(Exception):
    """Bytes that are not a message of this protocol."""


class _Limits(msgspec.Struct, frozen=True, kw_only=True):
    """The header of a job."""

    parts: dict[str, int]
    language: str
    cpu_seconds: Annotated[float, msgspec.Meta(gt=0, le=3600)]
    wall_seconds: Annotated[float, msgspec.Meta(gt=0, le=3600)]
    memory_mb: Annotated[int, msgspec.Meta(gt=0)]
    output_bytes: Annotated[int, msgspec.Meta(gt=0, le=exchange.MAX_OUTPUT)]
    result_bytes: Annotated[int, msgspec.Meta(gt=0, le=exchange.MAX_RESULT)]
    trace: bool


class _Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked of a program beside its input."""

    entry_point: str | None = None
    calls: list[list[Any]] = []
    expressions: list[str] = []
    tests: str = ""
    names: list[str] = []
    token: str = ""


class _Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """The header of what came of a job."""

    parts: dict[str, int]
    status: RawStatus
    exit: int | None
    wall_s: float
    cpu_s: float
    peak_mb: float
    signal: int | None
    strays: int
    reason: str
    queue_s: float
    untraced: str


def pack_job(job: Job) -> bytes:
    """A job as bytes."""
    header = {
        "language": job.language,
        "cpu_seconds": float(job.cpu_seconds),
        "wall_seconds": float(job.wall_seconds),
        "memory_mb": job.memory_mb,
        "output_bytes": job.output_bytes,
        "result_bytes": job.result_bytes,
        "trace": job.trace,
    }
    plan = {
        "entry_point": job.entry_point,
        "calls": [[values.pack(argument) for argument in call] for call in job.calls],
        "expressions": list(job.expressions),
        "tests": job.tests,
        "names": list(job.names),
        "token": job.token,
    }
    parts = {
        "code": job.code.encode("utf-8", "surrogatepass"),
        "stdin": job.stdin,
        "plan": json.dumps(plan, separators=(",", ":")).encode(),
        "binary": job.binary,
    }
    return b"".join(frames.pack(header, parts))


def unpack_job(data: bytes) -> Job:
    """The job again; raises MessageError."""
    header, parts = _open(data)
    try:
        limits = msgspec.convert(header, _Limits)
        plan = msgspec.convert(json.loads(parts.get("plan", b"{}")), _Plan)
        return Job(
            code=parts.get("code", b"").decode("utf-8", "surrogatepass"),
            stdin=parts.get("stdin", b""),
            entry_point=plan.entry_point,
            calls=[[values.unpack(argument) for argument in call] for call in plan.calls],
            language=limits.language,
            cpu_seconds=limits.cpu_seconds,
            wall_seconds=limits.wall_seconds,
            memory_mb=limits.memory_mb,
            output_bytes=limits.output_bytes,
            expressions=plan.expressions,
            result_bytes=limits.result_bytes,
            tests=plan.tests,
            names=plan.names,
            token=plan.token,
            binary=parts.get("binary", b""),
            trace=limits.trace,
        )
    except (ValueError, TypeError, RecursionError) as error:
        raise MessageError(f"not a job: {error}"[:300]) from None


def pack_raw(raw: Raw) -> bytes:
    """What came of a job, as bytes."""
    header = {
        "status": raw.status,
        "exit": raw.exit,
        "wall_s": raw.wall_s,
        "cpu_s": raw.cpu_s,
        "peak_mb": raw.peak_mb,
        "signal": raw.signal,
        "strays": raw.strays,
        "reason": raw.reason[:_REASON],
        "queue_s": raw.queue_s,
        "untraced": raw.untraced[:_REASON],
    }
    said = {"stdout": raw.stdout, "stderr": raw.stderr, "result": raw.result, "trace": raw.trace}
    return b"".join(frames.pack(header, said))


def unpack_raw(data: bytes) -> Raw:
    """What came of a job, again; raises MessageError."""
    header, parts = _open(data)
    try:
        told = msgspec.convert(header, _Outcome)
    except (ValueError, TypeError) as error:
        raise MessageError(f"not an outcome: {error}"[:300]) from None
    return Raw(
        told.status,
        told.exit,
        parts.get("stdout", b""),
        parts.get("stderr", b""),
        parts.get("result", b""),
        told.wall_s,
        told.cpu_s,
        told.peak_mb,
        signal=told.signal,
        strays=told.strays,
        reason=told.reason,
        queue_s=told.queue_s,
        trace=parts.get("trace", b""),
        untraced=told.untraced,
    )


def digest(data: bytes) -> str:
    """The end of a job's name: a body that is not the one that was named is refused."""
    return hashlib.blake2b(data, digest_size=8).hexdigest()


def runner() -> str:
    """Hash of the server that runs inside sandboxes: both sides must have the same, because it has a part in
    every verdict and therefore in the verifier's hash."""
    from pathlib import Path

    known = hashlib.blake2b(digest_size=8)
    for path in sorted(Path(harness_runner.__file__).parent.glob("*.py")):
        known.update(path.name.encode() + path.read_bytes())
    return known.hexdigest()


def python() -> str:
    """The Python that programs run in: a sandbox's tree is made from the one that serves it."""
    return f"{platform.python_implementation()} {platform.python_version()} {platform.machine()}"


def _open(data: bytes) -> tuple[dict[str, Any], Mapping[str, bytes]]:
    view = memoryview(data)
    at = 0

    def read(into: memoryview) -> int:
        nonlocal at
        count = min(len(into), len(view) - at)
        into[:count] = view[at : at + count]
        at += count
        return count

    try:
        frame = frames.read_header(read)
    except (frames.FrameError, UnicodeDecodeError) as error:
        raise MessageError(str(error)) from None
    if frame is None or len(view) - at != frame[1]:
        raise MessageError("the message is not as long as it says")
    header = frame[0]
    return header, {name: bytes(part) for name, part in frames.slices(header, view[at:]).items()}
