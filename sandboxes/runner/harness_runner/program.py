"""Running a Python program as `python program.py` would, in a process forked from the server."""

from __future__ import annotations

import _sitebuiltins
import _thread
import atexit
import builtins
import io
import os
import sys
import threading
import traceback
import types
from collections.abc import Callable
from typing import Any, NamedTuple

NAME = "solution.py"
#: First byte of the result of a program that does not compile.
NOT_COMPILED = b"!"
_SYNTAX = (SyntaxError, ValueError, RecursionError, MemoryError)
#: Longest decimal integer that a program may read or write, in digits, as LiveCodeBench's harness has it.
#: Python's own limit of 4,300 fails programs that every judge with an older Python passed.
DIGITS = 50_000


def prepare() -> None:
    """What `site` would have set up; once, in the server."""
    builtins.exit = _sitebuiltins.Quitter("exit", "Ctrl-D (i.e. EOF)")
    builtins.quit = _sitebuiltins.Quitter("quit", "Ctrl-D (i.e. EOF)")
    builtins.help = _sitebuiltins._Helper()
    sys.argv = [NAME]
    os.environ.pop("LD_BIND_NOW", None)
    sys.set_int_max_str_digits(DIGITS)


class Streams(NamedTuple):
    """Python's own streams over descriptors 0, 1 and 2."""

    stdin: io.TextIOWrapper
    stdout: io.TextIOWrapper
    stderr: io.TextIOWrapper
    #: The server's own, kept so that no job has to take them down.
    replaced: tuple[object, ...]

    def install(self) -> None:
        """In the job: what `sys` names from here on."""
        sys.stdin = sys.__stdin__ = self.stdin  # type: ignore[misc]
        sys.stdout = sys.__stdout__ = self.stdout  # type: ignore[misc]
        sys.stderr = sys.__stderr__ = self.stderr  # type: ignore[misc]


def streams() -> Streams:
    """The streams of a job, as under a UTF-8 locale, made in the server, which does not use them.

    They remember what kind of file they are over. So descriptors 0 to 2 are for a moment what they will be
    in a job: a file in memory and pipes.
    """
    kept = [os.dup(number) for number in range(3)]
    memory = os.memfd_create("stdin")
    reader, writer = os.pipe()
    try:
        for number, end in enumerate((memory, writer, writer)):
            os.dup2(end, number)
        return Streams(
            io.TextIOWrapper(open(0, "rb", closefd=False), "utf-8", "surrogateescape"),
            io.TextIOWrapper(open(1, "wb", closefd=False), "utf-8", "surrogateescape"),
            io.TextIOWrapper(open(2, "wb", closefd=False), "utf-8", "backslashreplace", line_buffering=True),
            (sys.stdin, sys.stdout, sys.stderr),
        )
    finally:
        for number, end in enumerate(kept):
            os.dup2(end, number)
        for end in (*kept, memory, reader, writer):
            os.close(end)


def compiled(source: bytes, result: int, name: str = NAME) -> types.CodeType:
    """The program's code; ends the process, saying why on stderr and `result`, when there is none."""
    try:
        return compile(source, name, "exec", dont_inherit=True)
    except _SYNTAX as error:
        os.write(result, NOT_COMPILED)
        lines = traceback.format_exception_only(type(error), error)
        os.write(2, "".join(lines).encode("utf-8", "backslashreplace")[-2000:])
        os._exit(1)


def namespace() -> dict[str, Any]:
    """The globals of a fresh `__main__`."""
    module = types.ModuleType("__main__")
    module.__dict__.update(__builtins__=builtins, __file__=NAME)
    sys.modules["__main__"] = module
    return module.__dict__


def finish(body: Callable[[], object]) -> int:
    """Run to the end as the interpreter would; the exit code."""
    code = 0
    try:
        body()
    except SystemExit as stop:
        code = _exit_code(stop.code)
    except BaseException:
        code = 1
        _report()
    try:
        if _thread._count() or threading._threading_atexits:  # type: ignore[attr-defined]
            threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
    except BaseException:
        _report()
    # A program may have closed or replaced its streams; what cannot be flushed is lost, as always.
    for stream, failed in ((sys.stdout, 120), (sys.stderr, 0)):
        try:
            if not stream.closed:
                stream.flush()
        except BaseException:
            code = code or failed
    return code


def run(source: bytes, result: int) -> int:
    """A whole program with its own stdin; the exit code."""
    code = compiled(source, result)
    os.close(result)
    main = namespace()
    return finish(lambda: exec(code, main))


def _exit_code(value: object) -> int:
    if value is None:
        return 0
    if isinstance(value, int):
        return value & 0xFF
    try:
        print(value, file=sys.stderr)
    except BaseException:
        return 1
    return 1


def _report() -> None:
    kind, error, trace = sys.exc_info()
    try:
        # Our own frames say nothing to anyone.
        while trace is not None and trace.tb_frame.f_code.co_filename != NAME:
            trace = trace.tb_next
        sys.stdout.flush()
        lines = traceback.format_exception(kind, error, trace, limit=-8)
        os.write(2, "".join(lines).encode("utf-8", "backslashreplace")[-4000:])
    except BaseException:
        name = getattr(kind, "__name__", "error")
        os.write(2, f"{name}\n".encode("utf-8", "backslashreplace"))
