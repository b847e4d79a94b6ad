"""Frames between the driver and its workers: four bytes of length, then the payload.

Both ends are processes of ours, so payloads are pickles; text with lone surrogates travels too,
which JSON would refuse.
"""

from __future__ import annotations

import pickle
import socket
import struct
from collections.abc import Iterator
from typing import Any, Final

_LENGTH: Final = struct.Struct("!I")
CHUNK: Final = 1 << 18


def frame(payload: bytes) -> bytes:
    return _LENGTH.pack(len(payload)) + payload


def dump(value: Any) -> bytes:
    return pickle.dumps(value, protocol=5)


def load(payload: bytes) -> Any:
    return pickle.loads(payload)


class Frames:
    """Cuts a byte stream into frames; keeps what is not yet whole."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes]:
        self._buffer += data
        start = 0
        while len(self._buffer) - start >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._buffer, start)
            end = start + _LENGTH.size + length
            if len(self._buffer) < end:
                break
            yield bytes(self._buffer[start + _LENGTH.size : end])
            start = end
        del self._buffer[:start]


def receive(connection: socket.socket) -> Iterator[bytes]:
    """Frames of a blocking socket until the other end closes it."""
    frames = Frames()
    while data := connection.recv(CHUNK):
        yield from frames.feed(data)
