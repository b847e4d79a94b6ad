"""A small server of lines: one JSON object per line each way, over a Unix socket or TCP.

An address is `unix:/path` or `tcp:host:port`. The first line of a connection carries the token; each
connection is served in a thread of its own.
"""

from __future__ import annotations

import hmac
import os
import secrets as tokens
import socketserver
import threading
from abc import ABC, abstractmethod
from pathlib import Path
from types import TracebackType
from typing import Final, Self

#: Longest line accepted, in bytes: a batch of long rollouts, not an attack.
MAX_LINE: Final = 1 << 30


class LineServer(ABC):
    """Serves lines until it is closed; what a line is answered with is a subclass's to say."""

    def __init__(self, address: str = "tcp:127.0.0.1:0") -> None:
        self.token = tokens.token_hex(16)
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

    @abstractmethod
    def answer(self, line: bytes) -> bytes:
        """One line's answer, without its end."""

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


def _handler(server: LineServer) -> type[socketserver.StreamRequestHandler]:
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
