"""The life of one worker: open the verifiers, say so, judge in the main thread until told to stop.

A worker answers after every sample, so that the driver always knows which one it is at.
"""

from __future__ import annotations

import contextlib
import resource
import socket
from collections.abc import Mapping
from typing import Any

from harness.contract.protocols import Verifier
from harness.contract.records import Verdict
from harness.scoring import framing
from harness.scoring.judge import describe, failed, judge
from harness.scoring.packing import pack_verdict, unpack_sample
from harness.scoring.spec import hash_of


def serve(connection: socket.socket, verifiers: Mapping[str, Verifier]) -> None:
    """Judge batches `[(number, verifier, payload)]` until the driver closes the connection."""
    broken: dict[str, str] = {}
    for name, verifier in verifiers.items():
        try:
            verifier.open()
        except (Exception, SystemExit) as error:  # noqa: BLE001 - reported on each of its verdicts
            broken[name] = f"open failed: {describe(error)}"
    connection.sendall(framing.frame(framing.dump("open")))
    for payload in framing.receive(connection):
        for number, name, content in framing.load(payload):
            verdict = _judge(verifiers[name], name, content, broken.get(name))
            connection.sendall(framing.frame(framing.dump((number, pack_verdict(verdict)))))
    for verifier in verifiers.values():
        with contextlib.suppress(Exception):
            verifier.close()


def _judge(verifier: Verifier, name: str, content: bytes, broken: str | None) -> Verdict:
    if broken is not None:
        return failed(name, hash_of(verifier), "infra_error", broken)
    task, rollout = unpack_sample(content)
    return judge(verifier, task, rollout)


def limit_memory(megabytes: int) -> None:
    """Bound the address space of this process; a verifier that wants more gets a MemoryError."""
    size = megabytes << 20
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    if hard != resource.RLIM_INFINITY:
        size = min(size, hard)
    resource.setrlimit(resource.RLIMIT_AS, (size, hard))
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))


def main(connection: socket.socket, verifiers: Mapping[str, Any], megabytes: int) -> None:
    """Entry of a fresh worker process."""
    limit_memory(megabytes)
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        serve(connection, verifiers)
