"""Calling a program's function many times in one process, and telling what it gave each time.

The arguments come in, the values go out, one line a call; what they ought to be is known outside
only. A line is `{"ok": value}` or `{"error": "Type: message"}` with values as `values.pack` makes them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from harness_runner import program, values

#: The first line: the program's own top level ran to its end.
LOADED = b'{"loaded":true}'
#: Made once in the server, as all that a job would otherwise have to make.
_decode = json.JSONDecoder().decode
_encode = json.JSONEncoder(separators=(",", ":")).encode


def run(source: bytes, plan: bytes, result: int) -> int:
    """Load the program and make the calls of `plan`: `{"entry_point", "calls"}` or `{"expressions"}`."""
    code = program.compiled(source, result)
    asked = _decode(plan.decode("ascii"))
    main = program.namespace()
    main["__name__"] = "solution"

    def body() -> None:
        exec(code, main)
        write(result, LOADED)
        for call in _calls(asked, main):
            write(result, outcome(call))

    return program.finish(body)


def _calls(asked: dict[str, Any], main: dict[str, Any]) -> Iterator[Callable[[], Any]]:
    for text in asked.get("expressions", ()):
        yield partial(eval, text, main)
    for args in asked.get("calls", ()):
        yield partial(_call, main, asked["entry_point"], args)


def _call(main: dict[str, Any], name: str, args: list[Any]) -> Any:
    return target(main, name)(*values.unpack(args))


def target(main: dict[str, Any], name: str) -> Any:
    """LeetCode's form is a method of a fresh `Solution`; else a function of the module."""
    solution = main.get("Solution")
    if solution is not None and hasattr(solution, name):
        return getattr(solution(), name)
    if name not in main:
        raise NameError(f"name {name!r} is not defined")
    return main[name]


def outcome(call: Callable[[], Any]) -> bytes:
    """The line that tells what a call gave."""
    try:
        value = call()
        return _encode({"ok": values.pack(value)}).encode("ascii")
    except BaseException as error:
        try:
            text = f"{type(error).__name__}: {error}"[:500]
        except BaseException:
            text = type(error).__name__
        return json.dumps({"error": text}).encode("ascii")


def write(result: int, line: bytes) -> None:
    """Write a whole line."""
    view = memoryview(line + b"\n")
    while view:
        view = view[os.write(result, view) :]
