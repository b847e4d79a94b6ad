"""Running a program under a tracer: what its variables hold, line after line, in records it cannot forge.

The record of a line is made and signed in an audit hook, with a key that only the trusted side knows
besides. The hook reads the traced frame itself and knows no code but what was compiled from the program's
text. So a program may print what it likes, and write it to any descriptor: what is not signed, out of its
place or missing at the end voids the trace. The hook and its names are private copies, and no object leads
to them. What would lead to them all the same (frames, lists of the garbage collector, ctypes, memory as a
file, further processes and interpreters) is an audit event by itself, which ends the trace and is its
reason.

A signed line is `<mac> <record>`, each mac over the one before and the record. A record is
`{"line": 3, "depth": 1, "values": {...}}`: the line that comes next, how many frames of the program are
open, and the frame's plain variables then, as `values.pack` would make them. `{"return": ...}` in the place
of `line` is the line at which a frame ended; the last record is `{"end": ""}`, or says why there is no
trace.
"""

from __future__ import annotations

import builtins
import json
import signal
import sys
import types
from _json import encode_basestring_ascii
from collections.abc import Callable
from hashlib import blake2b
from os import write
from types import FrameType
from typing import Any

from harness_runner import program

STEP, END = "harness.step", "harness.end"
#: Size of a mac, in bytes.
MAC = 16
#: What is deeper or larger than this is not told, in levels, entries, characters and bits.
DEPTH, ENTRIES, CHARACTERS, BITS = 4, 64, 1000, 4096
#: Audit events that end a trace, by their beginnings.
_FATAL = (
    "sys._getframe", "sys._current_", "sys.settrace", "sys.setprofile", "sys.addaudithook", "gc.get_",
    "ctypes.", "cpython.PyInterpreterState_New", "os.fork", "os.exec", "os.posix_spawn", "os.spawn",
    "os.symlink", "os.link", "os.system", "subprocess.", "pty.", "harness.refused",
)  # fmt: skip
#: Attributes that lead to frames.
_FRAMES = ("tb_frame", "gi_frame", "cr_frame", "ag_frame")


class Void(ValueError):
    """There is no trace, and why."""


def run(source: bytes, key: bytes, result: int) -> int:
    """A whole program with its own stdin, traced to descriptor `result`; the exit code."""
    code = program.compiled(source, result)
    main = program.namespace()

    def tracer(frame: Any, event: str, argument: Any, audit: Any = sys.audit) -> Any:
        audit(STEP, frame, event)
        return tracer

    def body() -> None:
        settrace(tracer)
        try:
            exec(code, main)
        finally:
            # The program's own frames are gone; nothing of it runs between this and the last record.
            audit(END, token)

    settrace, audit, token = sys.settrace, sys.audit, object()
    recorder = types.FunctionType(
        _recorder.__code__, {**globals(), "__builtins__": dict(vars(builtins))}, "recorder"
    )
    sys.addaudithook(recorder(_codes(code), key, result, token, tracer, sys.gettrace))
    _take_away()
    return program.finish(body)


def _recorder(
    codes: frozenset[types.CodeType], key: bytes, result: int, token: object, tracer: object, gettrace: Any
) -> Callable[[str, tuple[Any, ...]], None]:
    """The audit hook. It runs with private globals: nothing that the program changes is looked up here."""
    mac, open_, began = b"", True, False

    def put(record: str) -> None:
        nonlocal mac
        data = record.encode("ascii")
        mac = blake2b(mac + data, key=key, digest_size=MAC).digest()
        rest = mac.hex().encode("ascii") + b" " + data + b"\n"
        while rest:
            rest = rest[write(result, rest) :]

    def close(reason: str) -> None:
        nonlocal open_, key
        open_ = False
        put('{"end":' + encode_basestring_ascii(reason) + "}")
        key = b""

    def plain(value: Any, depth: int) -> str | None:
        """The value as JSON; None for what is not made of Python's own plain types or is too large."""
        kind = type(value)
        if value is None:
            return "null"
        if kind is bool:
            return "true" if value else "false"
        if kind is int:
            return int.__repr__(value) if value.bit_length() <= BITS else None
        if kind is float:
            told = float.__repr__(value)
            return told if told[-1] not in "fn" else '{"!":"float","v":"' + told + '"}'
        if kind is str:
            return encode_basestring_ascii(value) if len(value) <= CHARACTERS else None
        if depth >= DEPTH or kind not in (list, tuple, set, frozenset, dict) or len(value) > ENTRIES:
            return None
        if kind is dict:
            pairs = [(plain(name, depth + 1), plain(item, depth + 1)) for name, item in value.items()]
            if any(name is None or item is None for name, item in pairs):
                return None
            return '{"!":"dict","v":[' + ",".join(f"[{name},{item}]" for name, item in pairs) + "]}"
        items = [plain(item, depth + 1) for item in value]
        if None in items:
            return None
        told = "[" + ",".join(item for item in items if item is not None) + "]"
        return told if kind is list else '{"!":"' + kind.__name__ + '","v":' + told + "}"

    def step(frame: Any, event: str) -> None:
        if type(frame) is not FrameType or frame.f_code not in codes or event not in ("line", "return"):
            return
        outer: FrameType | None = frame
        depth = 0
        while outer is not None:
            depth += outer.f_code in codes
            outer = outer.f_back
        scope, told = frame.f_locals, []
        own = None if frame.f_code.co_name == "<module>" else names_of(frame.f_code)
        for name in list(scope) if type(scope) is dict else ():
            if (
                type(name) is str
                and name.isidentifier()
                and name[:2] != "__"
                and (own is None or name in own)
            ):
                value = plain(scope[name], 0)
                if value is not None:
                    told.append(encode_basestring_ascii(name) + ":" + value)
        put(f'{{"{event}":{frame.f_lineno},"depth":{depth},"values":{{{",".join(told)}}}}}')

    def memory(path: Any) -> bool:
        """Whether a path may be that of a process's memory."""
        if type(path) is bytes:
            return path[-3:] == b"mem"
        return path[-3:] == "mem" if type(path) is str else type(path) is not int

    def names_of(code: types.CodeType) -> tuple[str, ...]:
        return code.co_varnames + code.co_cellvars + code.co_freevars

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal began
        if not open_:
            return
        if event == STEP and len(arguments) == 2:
            step(*arguments)
        elif event == END and arguments and arguments[0] is token:
            close("" if gettrace() is tracer else "the tracer was lost on the way")
        elif event == "sys.settrace" and not began:
            began = True
        elif event.startswith(_FATAL):
            close(event)
        elif event == "object.__getattr__" and arguments[1] in _FRAMES:
            close(f"{event} {arguments[1]}")
        elif event == "open" and memory(arguments[0]):
            close("open mem")

    return hook


def _codes(code: types.CodeType) -> frozenset[types.CodeType]:
    """A program's code and that of its functions, classes and comprehensions."""
    inner = [_codes(constant) for constant in code.co_consts if isinstance(constant, types.CodeType)]
    return frozenset([code]).union(*inner)


def _take_away() -> None:
    """What hands frames or the tracer to a program without an audit event."""

    def refused(*arguments: Any) -> Any:
        sys.audit("harness.refused")
        raise ValueError("not while the program is traced")

    for module, name in ((signal, "signal"), (sys.modules["_signal"], "signal"), (sys, "gettrace")):
        setattr(module, name, refused)


def verified(signed: bytes, key: bytes) -> bytes:
    """The records of a trace, one a line, without their macs and the last one; for the trusted side.

    Raises:
        Void: not all of it is the tracer's, or the tracer says that there is none.
    """
    mac, records = b"", []
    *lines, rest = signed.split(b"\n")
    for number, line in enumerate(lines, 1):
        told, _, record = line.partition(b" ")
        mac = blake2b(mac + record, key=key, digest_size=MAC).digest()
        if told != mac.hex().encode("ascii"):
            raise Void(f"line {number} of the trace is not the tracer's: the program wrote to its channel")
        records.append(record)
    if not records or not records[-1].startswith(b'{"end":'):
        raise Void("the program ended before its trace did")
    if rest:
        raise Void("the program wrote to the tracer's channel after the trace")
    reason = json.loads(records[-1])["end"]
    if reason:
        raise Void(f"the program reached for the tracer: {reason}")
    return b"\n".join(records[:-1])
