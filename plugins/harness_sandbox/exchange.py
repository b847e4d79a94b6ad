"""A job as a frame, and a server's reply as a `Raw`."""

from __future__ import annotations

import json
import secrets
from typing import Any, Final

import msgspec
from harness_runner import trace, values
from harness_runner.program import NOT_COMPILED

from harness.contract import Job, Raw, RawStatus
from harness_sandbox.channel import ChannelError

#: Output and result buffers that a server keeps ready, in bytes.
OUTPUT_BYTES: Final = 1 << 20
RESULT_BYTES: Final = 8 << 20
#: The largest that a job may ask for, in bytes: an answer has to fit into one frame, and into the memory of
#: whoever reads it.
MAX_OUTPUT: Final = 48 << 20
MAX_RESULT: Final = 64 << 20
#: How late a server on a crowded host may be, in seconds, before it counts as lost.
GRACE_SECONDS: Final = 10.0
STARTED: Final = b"+"


def request(job: Job) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Header and parts of the frame that asks for a job."""
    mode = "program"
    parts = {"code": job.code.encode("utf-8", "surrogatepass"), "stdin": job.stdin}
    calls = 0
    if job.tests:
        mode = "tests"
        parts["tests"] = job.tests.encode()
        parts["plan"] = json.dumps({"names": list(job.names), "token": job.token}).encode()
    elif job.expressions:
        mode, calls = "calls", len(job.expressions) + 1
        parts["plan"] = json.dumps({"expressions": list(job.expressions)}).encode()
    elif job.entry_point is not None:
        mode, calls = "calls", len(job.calls) + 1
        packed = [[values.pack(argument) for argument in call] for call in job.calls]
        parts["plan"] = json.dumps({"entry_point": job.entry_point, "calls": packed}).encode()
    elif job.binary:
        mode = "binary"
        parts["binary"] = job.binary
    elif job.trace:
        mode = "trace"
        parts["key"] = secrets.token_bytes(trace.MAC)
    elif job.language != "python":
        mode = "compile"
    limits = {
        "cpu_seconds": job.cpu_seconds,
        "wall_seconds": job.wall_seconds,
        "memory_mb": job.memory_mb,
        "output_bytes": job.output_bytes,
        "result_bytes": job.result_bytes,
    }
    return {"op": "run", "mode": mode, "language": job.language, "calls": calls, "limits": limits}, parts


def longest(job: Job) -> float:
    """Seconds after which a server that keeps its limits must have answered."""
    turns = max(len(job.calls), len(job.expressions)) + 1
    return job.wall_seconds * turns + GRACE_SECONDS


class _Answer(msgspec.Struct, kw_only=True):
    """The header of a server's answer, as far as it is read."""

    #: As the one who watched the program has it (`harness_runner.watch`).
    status: str
    exit: int | None
    wall_s: float
    cpu_s: float
    peak_mb: float
    signal: int | None
    strays: int
    spent_s: float = 0.0
    clean: bool = False


def check(header: dict[str, Any]) -> None:
    """Refuse an answer that no server of ours gives: a program may have got at the one that it ran in.

    Raises:
        ChannelError: a field is missing or has another type.
    """
    try:
        msgspec.convert(header, _Answer)
    except ValueError as error:
        raise ChannelError(f"an answer that is none: {error}"[:300]) from None


def reply(header: dict[str, Any], parts: dict[str, bytes], key: bytes = b"") -> Raw:
    """What a server's checked answer says; an `infra_error` if the program was never started.

    Args:
        key: what the trace of a traced job is signed with.
    """
    result = parts.get("result", b"")
    stderr = parts.get("stderr", b"")
    if not result.startswith(STARTED):
        return failed(f"the program was not started: {stderr.decode(errors='replace')[-300:]}")
    result = result[len(STARTED) :]
    status, steps, untraced = _status(header, result, stderr), b"", ""
    if key:
        try:
            steps = trace.verified(result, key)
        except trace.Void as why:
            untraced = str(why)
        result = b""
    return Raw(
        status=status,
        exit=header["exit"],
        stdout=parts.get("stdout", b""),
        stderr=stderr,
        result=result,
        wall_s=header["wall_s"],
        cpu_s=header["cpu_s"],
        peak_mb=header["peak_mb"],
        signal=header["signal"],
        strays=header["strays"],
        trace=steps,
        untraced=untraced,
    )


def failed(reason: str) -> Raw:
    """The sandbox, not the program, is at fault."""
    return Raw("infra_error", None, b"", b"", b"", 0.0, 0.0, 0.0, reason=reason)


def _status(header: dict[str, Any], result: bytes, stderr: bytes) -> RawStatus:
    status: RawStatus = header["status"]
    if status in ("time_limit", "memory_limit", "output_limit"):
        return status
    if result.startswith(NOT_COMPILED):
        return "compile_error"
    if header["exit"] == 0:
        return "ok"
    # Python's own account of running out of memory; a forged one only renames a failure.
    last = stderr.rstrip().rpartition(b"\n")[2]
    return "memory_limit" if last.startswith(b"MemoryError") else "error"
