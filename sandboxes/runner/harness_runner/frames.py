"""The wire between the trusted side and the server: a small JSON header and raw bytes after it.

A frame is two 32-bit lengths (header, body), the header and the body. The header names the parts of
the body in order with their lengths, so that code, input and output are never escaped or copied
through JSON, and the server can move them without looking at them.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Mapping
from typing import Any

PREFIX = struct.Struct("!II")
#: No honest header comes near this, in bytes.
MAX_HEADER = 1 << 16
#: Largest body, in bytes: a program, its input, a compiled binary or its output.
MAX_BODY = 1 << 28

_encode = json.JSONEncoder(separators=(",", ":")).encode

#: Reads into a writable buffer, gives the number of bytes, 0 at the end of the stream.
ReadInto = Callable[[memoryview], int]


class FrameError(Exception):
    """The other side did not keep to the wire format."""


def pack(header: dict[str, Any], parts: Mapping[str, bytes | memoryview]) -> list[Any]:
    """A frame as buffers to write one after the other; empty parts are left out."""
    kept = {name: part for name, part in parts.items() if len(part)}
    head = _encode({**header, "parts": {name: len(part) for name, part in kept.items()}}).encode()
    body = sum(map(len, kept.values()))
    return [PREFIX.pack(len(head), body) + head, *kept.values()]


def read_exactly(read: ReadInto, view: memoryview) -> int:
    """Fill the buffer; fewer bytes than asked for only at the end of the stream."""
    done = 0
    while done < len(view):
        count = read(view[done:])
        if not count:
            break
        done += count
    return done


def read_header(read: ReadInto) -> tuple[dict[str, Any], int] | None:
    """The next frame's header and the length of its body; None at a clean end of the stream.

    Raises:
        FrameError: the stream ended inside a frame or says something that no peer of ours says.
    """
    prefix = bytearray(PREFIX.size)
    count = read_exactly(read, memoryview(prefix))
    if not count:
        return None
    if count < PREFIX.size:
        raise FrameError("the stream ended inside a frame")
    head_length, body_length = PREFIX.unpack(prefix)
    if head_length > MAX_HEADER or body_length > MAX_BODY:
        raise FrameError(f"a frame of {head_length} + {body_length} bytes is too large")
    head = bytearray(head_length)
    if read_exactly(read, memoryview(head)) < head_length:
        raise FrameError("the stream ended inside a header")
    try:
        header = json.loads(head)
    except (ValueError, RecursionError) as error:
        raise FrameError(f"a header is not JSON: {error}") from None
    if not isinstance(header, dict) or not isinstance(header.get("parts"), dict):
        raise FrameError("a header is not an object with parts")
    if any(type(n) is not int or n < 0 for n in header["parts"].values()):
        raise FrameError("a header has parts without lengths")
    if sum(header["parts"].values()) != body_length:
        raise FrameError("a header's parts do not add up to its body")
    return header, body_length


def slices(header: dict[str, Any], body: memoryview) -> dict[str, memoryview]:
    """The named parts of a body."""
    parts, start = {}, 0
    for name, length in header["parts"].items():
        parts[name] = body[start : start + length]
        start += length
    return parts
