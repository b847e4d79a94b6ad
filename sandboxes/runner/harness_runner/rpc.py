"""Tests that have to run as a program: in a process of their own, calling the solution in another.

Only plain values cross the socket between them, and only the tests' process knows the token that it
writes after its last statement. So a solution can neither patch the tests nor end them as passed.
What it still can do is give different values to equal questions, which is why such evidence is weak.

A call crosses as a call in one process would look: arguments that the solution changed in place are changed
in the tests' process, too, and an exception of Python's own classes is raised there again.
"""

from __future__ import annotations

import builtins
import json
import os
import socket
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
            calls.write(wire, _told(main, json.loads(line)))

    return program.finish(body)


def _told(main: dict[str, Any], asked: dict[str, Any]) -> bytes:
    """The line that tells what a call gave, or raised, and which of its arguments it changed."""
    try:
        args, kwargs = values.unpack(asked["args"]), values.unpack(asked["kwargs"])
        told = _outcome(main, asked["name"], args, kwargs)
        after = values.pack(args)
        if after != asked["args"]:
            told["args"] = after
        return json.dumps(told, separators=(",", ":")).encode("ascii")
    except BaseException as error:
        return json.dumps({"error": type(error).__name__}).encode("ascii")


def _outcome(main: dict[str, Any], name: str, args: list[Any], kwargs: dict[str, Any]) -> dict[str, Any]:
    try:
        value = calls.target(main, name)(*args, **kwargs)
        for position, argument in enumerate(args):
            if value is argument and isinstance(value, (list, dict, set)):
                return {"same": position}
        return {"ok": values.pack(value)}
    except BaseException as error:
        kinds = [kind.__name__ for kind in type(error).__mro__ if kind.__module__ == "builtins"]
        try:
            text = f"{type(error).__name__}: {error}"[:500]
            return {"error": text, "kinds": kinds, "values": values.pack(list(error.args))}
        except BaseException:
            return {"error": type(error).__name__, "kinds": kinds}


class Uncrossable(BaseException):
    """The tests ask with a value that no plain value stands for: an object of a class of their own. It holds
    the class's name. The tests are at fault then, whatever the solution is."""


class Remote:
    """A function of the solution, as the tests see it."""

    def __init__(self, name: str, wire: int, reader: Any) -> None:
        self._name, self._wire, self._reader = name, wire, reader
        #: How often it was asked.
        self.calls = 0

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.calls += 1
        for argument in (*args, *kwargs.values()):
            if (name := values.other(argument)) is not None:
                raise Uncrossable(name)
        asked = {"name": self._name, "args": values.pack(list(args)), "kwargs": values.pack(kwargs)}
        calls.write(self._wire, json.dumps(asked).encode("ascii"))
        line = self._reader.readline(MAX_MESSAGE)
        if not line.endswith(b"\n"):
            raise RuntimeError("the solution's process ended")
        told = json.loads(line)
        for old, new in zip(args, values.unpack(told.get("args", [])), strict=False):
            changed(old, new)
        if "error" in told:
            raise _raised(told)
        return args[told["same"]] if "same" in told else values.unpack(told["ok"])


def changed(old: Any, new: Any) -> Any:
    """`new`, in the place of `old` where that is a container that can be changed."""
    if type(old) is not type(new):
        return new
    if isinstance(old, list):
        kept = [changed(a, b) for a, b in zip(old, new, strict=False)]
        old[:] = kept + new[len(kept) :]
    elif isinstance(old, dict):
        items = {key: changed(old[key], item) if key in old else item for key, item in new.items()}
        old.clear()
        old.update(items)
    elif isinstance(old, set):
        old.clear()
        old.update(new)
    elif isinstance(old, tuple) and len(old) == len(new):
        return tuple(changed(a, b) for a, b in zip(old, new, strict=True))
    else:
        return new
    return old


def _raised(told: dict[str, Any]) -> Exception:
    """The exception again, as the nearest of its classes that Python has. Those that end a loop or a process
    are no answer to a test and come as a RuntimeError."""
    ends = (StopIteration, StopAsyncIteration)
    for name in told.get("kinds", ()):
        kind = getattr(builtins, name, None)
        if not isinstance(kind, type) or not issubclass(kind, Exception) or issubclass(kind, ends):
            continue
        made = _made(kind, told)
        if made is not None:
            return made
    return RuntimeError(f"the solution raised {told['error']}"[:500])


def _made(kind: type[Exception], told: dict[str, Any]) -> Exception | None:
    """The exception with the values that it was made of; None where the class takes others."""
    try:
        return kind(*values.unpack(told.get("values", [])))
    except Exception:
        return None


def test(tests: bytes, plan: bytes, wire: int, result: int) -> int:
    """The tests' process: run them, then write the token, which nobody else has been told, and how many
    assertions ran after the solution had been asked, or the class of a value that could not be asked with."""
    asked = json.loads(plan)
    code = program.compiled(tests, result)
    main = program.namespace()
    reader = open(wire, "rb", closefd=False)
    remotes = {name: Remote(name, wire, reader) for name in asked["names"]}
    asserted = 0

    def count() -> None:
        nonlocal asserted
        asserted += any(remote.calls for remote in remotes.values())

    main["__solution__"], main["__asserted__"] = remotes, count

    def body() -> None:
        try:
            exec(code, main)
            said = str(asserted)
        except Uncrossable as error:
            said = f"!{str(error)!a}"
        os.write(result, f"{asked['token']} {said}\n".encode("ascii"))

    return program.finish(body)
