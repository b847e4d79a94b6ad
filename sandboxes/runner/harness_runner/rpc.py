"""Tests that have to run as a program: in a process of their own, calling the solution in another.

Only plain values cross the socket between them, and only the tests' process knows the token that it
writes after its last statement. So a solution can neither patch the tests nor end them as passed.
What it still can do is give different values to equal questions, which is why such evidence is weak.
"""

from __future__ import annotations

import json
import os
import socket
from functools import partial
from typing import Any

from harness_runner import calls, program, values

#: Longest message between the two, in bytes.
MAX_MESSAGE = 1 << 24


def pair() -> tuple[int, int]:
    """Two connected descriptors: the tests' and the solution's."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    return ours.detach(), theirs.detach()


def serve(source: bytes, wire: int) -> int:
    """The solution's process: load it, then answer calls until the tests hang up."""
    code = program.compiled(source, 3)
    main = program.namespace()
    main["__name__"] = "solution"
    reader = open(wire, "rb", closefd=False)

    def body() -> None:
        exec(code, main)
        while line := reader.readline(MAX_MESSAGE):
            asked = json.loads(line)
            _answer(wire, calls.outcome(partial(_call, main, asked)))

    return program.finish(body)


def _call(main: dict[str, Any], asked: dict[str, Any]) -> Any:
    args, kwargs = values.unpack(asked["args"]), values.unpack(asked["kwargs"])
    return calls.target(main, asked["name"])(*args, **kwargs)


def _answer(wire: int, line: bytes) -> None:
    calls.write(wire, line)


class Remote:
    """A function of the solution, as the tests see it."""

    def __init__(self, name: str, wire: int, reader: Any) -> None:
        self._name, self._wire, self._reader = name, wire, reader

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        asked = {"name": self._name, "args": values.pack(list(args)), "kwargs": values.pack(kwargs)}
        calls.write(self._wire, json.dumps(asked).encode("ascii"))
        line = self._reader.readline(MAX_MESSAGE)
        if not line.endswith(b"\n"):
            raise RuntimeError("the solution's process ended")
        told = json.loads(line)
        if "error" in told:
            raise RuntimeError(f"the solution raised {told['error']}"[:500])
        return values.unpack(told["ok"])


def test(tests: bytes, plan: bytes, wire: int, result: int) -> int:
    """The tests' process: run them, then write the token, which nobody else has been told."""
    asked = json.loads(plan)
    code = program.compiled(tests, result)
    main = program.namespace()
    reader = open(wire, "rb", closefd=False)
    main["__solution__"] = {name: Remote(name, wire, reader) for name in asked["names"]}

    def body() -> None:
        exec(code, main)
        os.write(result, asked["token"].encode("ascii") + b"\n")

    return program.finish(body)
