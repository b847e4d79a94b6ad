"""The session over a socket: for trainers whose rewards are given in other processes or on other nodes.

One JSON object a line each way, over a Unix socket (`unix:/path`) or TCP (`tcp:host:port`). The first
line of a connection carries the token. The server answers calls one at a time, in the order in which
they arrive: the session has one writer. An error of the session travels back by name, so that a
trainer fails with the harness's own message and never waits for an answer that cannot come.
"""

from __future__ import annotations

import hmac
import logging
import os
import secrets as tokens
import socket
import socketserver
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import msgspec

from harness.collecting import collect
from harness.errors import HarnessError, TrainingError
from harness.protocols import Batch, Directive, Engine, Generate
from harness.recipe import Conventions, Stage
from harness.records import (
    Checkpoint,
    Group,
    PolicyRef,
    Request,
    Rollout,
    StepMetrics,
    Task,
    builtins,
    convert,
)
from harness.session import StageSession

#: Longest line accepted, in bytes: a batch of long rollouts, not an attack.
MAX_LINE: Final = 1 << 30

#: What a client may call, with the types of its arguments.
CALLS: Final[Mapping[str, tuple[Any, ...]]] = {
    "describe": (),
    "next_tasks": (int,),
    "requests": (list[Task],),
    "offer": (Rollout,),
    "submit": (list[Rollout],),
    "submit_outcomes": (list[Group],),
    "finish_step": (StepMetrics,),
    "evaluation_requests": (),
    "submit_evaluation": (list[Rollout],),
    "exhaust": (str,),
    "begin_save": (),
    "end_save": (str, PolicyRef),
}


class SessionServer:
    """Serves one stage's session until it is closed."""

    def __init__(self, session: StageSession, address: str = "tcp:127.0.0.1:0") -> None:
        self.token = tokens.token_hex(16)
        self._session = session
        self._lock = threading.Lock()
        handler = _handler(self)
        if address.startswith("unix:"):
            path = address.removeprefix("unix:")
            self._server: socketserver.BaseServer = _UnixServer(path, handler)
            os.chmod(path, 0o600)
            self.address = address
        else:
            host, _, port = address.removeprefix("tcp:").rpartition(":")
            server = _TcpServer((host, int(port)), handler)
            self._server = server
            self.address = f"tcp:{host}:{server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def answer(self, line: bytes) -> bytes:
        """One call's answer, as a line without its end."""
        try:
            call = msgspec.json.decode(line, type=dict[str, Any])
            kinds = CALLS.get(call.get("call", ""))
            if kinds is None:
                raise TrainingError(f"no such call: {call.get('call')!r}", allowed=", ".join(CALLS))
            arguments = [
                convert(value, kind) for value, kind in zip(call.get("args", []), kinds, strict=True)
            ]
            with self._lock:
                result = self._call(call["call"], arguments)
            return msgspec.json.encode({"ok": result})
        except (HarnessError, ValueError) as error:
            return msgspec.json.encode({"error": str(error), "kind": type(error).__name__})
        except (
            Exception
        ) as error:  # a bug, ours or a plugin's: the trainer fails with it, the log has its trace
            logging.getLogger("harness.wire").exception("a call of the session failed")
            text = f"{type(error).__name__}: {error}"
            return msgspec.json.encode({"error": text, "kind": type(error).__name__})

    def _call(self, name: str, arguments: list[Any]) -> Any:
        session = self._session
        if name == "describe":
            return {
                "stage": session.stage.model_dump(mode="json"),
                "conventions": session.conventions.model_dump(mode="json"),
                "first_step": session.first_step,
                "max_refills": session.max_refills,
            }
        if name == "begin_save":
            return str(session.begin_save())
        if name == "end_save":
            return session.end_save(Path(arguments[0]), arguments[1])
        return getattr(session, name)(*arguments)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        if self.address.startswith("unix:"):
            Path(self.address.removeprefix("unix:")).unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _TcpServer(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True


class _UnixServer(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True


def _handler(server: SessionServer) -> type[socketserver.StreamRequestHandler]:
    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            given = self.rfile.readline(256).strip()
            if not hmac.compare_digest(given, server.token.encode()):
                self.wfile.write(b'{"error":"wrong token","kind":"TrainingError"}\n')
                return
            self.wfile.write(b'{"ok":null}\n')
            while line := self.rfile.readline(MAX_LINE):
                if not line.endswith(b"\n"):
                    return  # the client is gone in the middle of a line
                self.wfile.write(server.answer(line) + b"\n")

    return Handler


class RemoteSession:
    """A session somewhere else (protocol `Session`).

    Args:
        address: as `SessionServer.address`.
        token: as `SessionServer.token`.
        timeout: seconds to wait for an answer; judging a batch may take long.

    Raises:
        TrainingError: no server there, or a wrong token.
    """

    def __init__(self, address: str, token: str, *, timeout: float = 600.0) -> None:
        self._address = address
        try:
            self._socket = _connect(address, timeout)
        except OSError as error:
            raise TrainingError(f"no session there: {error}", where=address) from None
        self._file = self._socket.makefile("rwb")
        self._exchange(token.encode())
        about = self._call("describe")
        self.stage = Stage.model_validate(about["stage"])
        self.conventions = Conventions.model_validate(about["conventions"])
        self.first_step: int = about["first_step"]
        self.max_refills: int = about["max_refills"]

    def next_tasks(self, count: int) -> Sequence[Task]:
        return convert(self._call("next_tasks", count), list[Task])

    def requests(self, tasks: Sequence[Task]) -> Sequence[Sequence[Request]]:
        return convert(self._call("requests", list(tasks)), list[list[Request]])

    def offer(self, rollout: Rollout) -> None:
        self._call("offer", rollout)

    def submit(self, rollouts: Sequence[Rollout]) -> Sequence[Group]:
        return convert(self._call("submit", list(rollouts)), list[Group])

    def submit_outcomes(self, groups: Sequence[Group]) -> Sequence[Group]:
        return convert(self._call("submit_outcomes", list(groups)), list[Group])

    def collect(self, generate: Generate) -> Batch:
        return collect(self, generate)

    def exhaust(self, reason: str) -> None:
        self._call("exhaust", reason)

    def finish_step(self, metrics: StepMetrics) -> Directive:
        return convert(self._call("finish_step", metrics), Directive)

    def evaluate(self, engine: Engine) -> Mapping[str, float]:
        import asyncio

        requests = convert(self._call("evaluation_requests"), list[Request])

        async def generate() -> list[Rollout]:
            return [rollout async for rollout in engine.generate(requests)]

        return convert(self._call("submit_evaluation", asyncio.run(generate())), dict[str, float])

    def save(self, write: Callable[[Path], PolicyRef]) -> Checkpoint:
        """As the session's; both processes must see the run's folder."""
        scratch = Path(self._call("begin_save"))
        return convert(self._call("end_save", str(scratch), write(scratch)), Checkpoint)

    def close(self) -> None:
        self._file.close()
        self._socket.close()

    def _call(self, name: str, *arguments: Any) -> Any:
        return self._exchange(msgspec.json.encode({"call": name, "args": [builtins(a) for a in arguments]}))

    def _exchange(self, line: bytes) -> Any:
        try:
            self._file.write(line + b"\n")
            self._file.flush()
            answer = self._file.readline(MAX_LINE)
        except OSError as error:
            raise TrainingError(f"the session does not answer: {error}", where=self._address) from None
        if not answer.endswith(b"\n"):
            raise TrainingError("the session is gone", where=self._address)
        values = msgspec.json.decode(answer, type=dict[str, Any])
        if "error" in values:
            raise TrainingError(values["error"])
        return values["ok"]


def _connect(address: str, timeout: float) -> socket.socket:
    if address.startswith("unix:"):
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(timeout)
        connection.connect(address.removeprefix("unix:"))
        return connection
    host, _, port = address.removeprefix("tcp:").rpartition(":")
    return socket.create_connection((host, int(port)), timeout)
