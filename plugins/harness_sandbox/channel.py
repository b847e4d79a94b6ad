"""A two-way stream of bytes to one running server, with deadlines; and who can start such servers."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterable
from typing import Final, Protocol

#: Frames up to this size, in bytes, are sent in one piece.
_SMALL: Final = 1 << 16


class ChannelError(Exception):
    """The server cannot be reached, ended, or did not answer in time: never the program's fault."""


class StartError(ChannelError):
    """No server came up: an outage, whatever job was waiting."""


class Channel(Protocol):
    """A started server. `deadline` is a time of `time.monotonic`."""

    def send(self, buffers: Iterable[bytes | memoryview], deadline: float) -> None: ...

    def read_into(self, view: memoryview, deadline: float) -> int:
        """Fill some of the buffer; 0 at the end of the stream."""
        ...

    def kill(self) -> None:
        """End the server and all that runs in it, wait until it is gone, free what it held."""
        ...

    def last_words(self) -> str:
        """What it wrote to its own stderr, for reports."""
        ...


class Launcher(Protocol):
    """Starts servers of one sandbox kind."""

    #: The kind's name in recipes.
    kind: str
    #: Whether a server takes one job after the other, or ends after its first.
    warm: bool

    def start(self, slot: int) -> Channel:
        """Start a server; raises ChannelError."""
        ...

    def sweep(self) -> int:
        """Remove what crashed runs left behind; how many things that were."""
        ...

    def close(self) -> None: ...


class SocketChannel:
    """A channel over a plain socket; subclasses say how to kill what is at its other end."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    def send(self, buffers: Iterable[bytes | memoryview], deadline: float) -> None:
        try:
            for buffer in _joined(list(buffers)):
                self._sock.settimeout(_left(deadline))
                self._sock.sendall(buffer)
        except OSError as error:
            raise ChannelError(f"cannot send to the server: {error}") from error

    def read_into(self, view: memoryview, deadline: float) -> int:
        try:
            self._sock.settimeout(_left(deadline))
            return self._sock.recv_into(view)
        except TimeoutError as error:
            raise ChannelError("the server did not answer in time") from error
        except OSError as error:
            raise ChannelError(f"cannot hear the server: {error}") from error


def _joined(buffers: list[bytes | memoryview]) -> list[bytes | memoryview]:
    """The same bytes; as one buffer if they are few, because each that is sent wakes the server."""
    return [b"".join(buffers)] if sum(map(len, buffers)) <= _SMALL else buffers


def _left(deadline: float) -> float:
    return max(deadline - time.monotonic(), 0.001)
