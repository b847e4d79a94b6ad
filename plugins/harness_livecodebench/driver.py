"""Runs inside the sandbox, before anything else: a program as LiveCodeBench's harness would hold it.

`lcb-reference` sends this file's text with `load(program, entry_point)` after it; then each test is a call
of `graded`. It knows inputs alone: what is right stays outside. Every oddity is one of the published
harness's (`testing_util.py` at 28fef95), told in `docs/how-to/livecodebench.md`. It imports nothing of ours,
and no `__future__`: what is executed here would inherit it.
"""

import ast
import builtins
import io
import json
import os
import sys
import types
from collections.abc import Callable, Sequence
from typing import Any

#: Names given to every program.
PRELUDE = ""
#: Taken from `os` before a program runs.
_TAKEN = (
    "kill", "system", "putenv", "remove", "removedirs", "rmdir", "fchdir", "setuid", "fork", "forkpty",
    "killpg", "rename", "renames", "truncate", "replace", "unlink", "fchmod", "fchown", "chmod", "chown",
    "chroot", "lchflags", "lchmod", "lchown", "getcwd", "chdir",
)  # fmt: skip
_LIBRARIES = {"shutil": ("rmtree", "move", "chown"), "subprocess": ("Popen",)}
_ABSENT = ("ipdb", "joblib", "resource", "psutil", "tkinter")

_method: Callable[..., Any] = print
_from_stdin = True


def load(program: str, entry_point: str | None) -> None:
    """Compile and load; whatever this raises fails every test."""
    global _method, _from_stdin
    _from_stdin = entry_point is None
    os.environ["OMP_NUM_THREADS"] = "1"
    sys.set_int_max_str_digits(50_000)
    for name in _ABSENT:
        sys.modules[name] = None  # type: ignore[assignment]
    for name, parts in _LIBRARIES.items():
        if name in program:
            module = __import__(name)
            for part in parts:
                setattr(module, part, None)
    for name in _TAKEN:
        setattr(os, name, None)
    builtins.quit = builtins.help = None  # type: ignore[assignment]
    source = _wrapped(program) if _from_stdin else PRELUDE + "\n\n" + program
    module = types.ModuleType("tmp_sol", "")
    exec(source, module.__dict__)
    # The harness looks for the word, not for the class: in a program that reads stdin it finds a class
    # that is local to a function, and fails.
    holder: Any = module.Solution() if "class Solution" in source else module
    _method = getattr(holder, entry_point or "wrapped_function")


def graded(*arguments: str) -> Any:
    """What a test gives: the text printed for an input, or the value of a call."""
    if _from_stdin:
        return _printed(arguments[0])
    sys.stdout = _Nowhere()
    value = _method(*[json.loads(argument) for argument in arguments])
    if type(value).__module__ == "numpy" and getattr(value, "shape", None):
        raise ValueError("an array has no truth value")
    return list(value) if isinstance(value, tuple) else value


def _wrapped(program: str) -> str:
    """The program as a function: its imports before it, its last `if __name__` block without the `if`."""
    try:
        tree = ast.parse(program)
        last = tree.body[-1]
        if isinstance(last, ast.If) and ast.unparse(last.test).strip() == "__name__ == '__main__'":
            program = _unparsed(tree.body[:-1]) + "\n" + _unparsed(last.body)
    except Exception:
        pass
    try:
        body = ast.parse(program).body
        imports = [node for node in body if isinstance(node, (ast.Import, ast.ImportFrom))]
        others = [node for node in body if not isinstance(node, (ast.Import, ast.ImportFrom))]
        nothing = ast.arguments(
            posonlyargs=[], args=[], kwonlyargs=[], kw_defaults=[], defaults=[]
        )  # fmt: skip
        function = ast.FunctionDef(
            name="wrapped_function", args=nothing, body=others, decorator_list=[], lineno=-1
        )
        return PRELUDE + "\n" + _unparsed(imports) + "\n" + ast.unparse(function)
    except Exception:
        return program


def _unparsed(statements: Sequence[ast.stmt]) -> str:
    return ast.unparse(statements)  # type: ignore[arg-type]


def _printed(text: str) -> str:
    stdout = io.StringIO()
    # The one call that a program makes has no argument: closing its output is an error.
    stdout.close = lambda _: 1  # type: ignore[method-assign, assignment, misc]
    kept = sys.stdin, sys.stdout, builtins.open
    # The harness means to mock these of its own stdin and reaches the real one: a program that imported
    # that by name reads lines without ends from it.
    lines = iter(text.split("\n"))
    real: Any = sys.stdin
    real.read, real.readline = lambda *_: text, lambda *_: next(lines)
    real.readlines = lambda *_: text.split("\n")
    sys.stdin, sys.stdout, builtins.open = _Stdin(text), stdout, _opener(text, builtins.open)
    try:
        _method()
    except SystemExit:
        pass
    finally:
        sys.stdin, sys.stdout, builtins.open = kept
    return stdout.getvalue()


class _Stdin:
    """Not a file: it cannot be iterated, and reading again gives everything again."""

    def __init__(self, text: str) -> None:
        self._text, self._file = text, io.StringIO(text)
        self.buffer = _Buffer(text)

    def read(self, *_: Any) -> str:
        return self._text

    def readlines(self, *_: Any) -> list[str]:
        return self._text.split("\n")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


class _Buffer:
    """Its `readline` gives the first line again and again."""

    def __init__(self, text: str) -> None:
        self._bytes = text.encode("utf-8")

    def read(self, *_: Any) -> bytes:
        return self._bytes

    def readline(self, *_: Any) -> bytes:
        return self._bytes.split(b"\n")[0] + b"\n"


class _Nowhere(io.TextIOBase):
    """Takes what a method prints: nobody looks at it."""

    def write(self, text: str) -> int:
        return len(text)


def _opener(text: str, real: Any) -> Any:
    """`open` as a mock that holds the input, made when it is first used: its import is slow."""
    made: list[Any] = []

    def opened(*arguments: Any, **options: Any) -> Any:
        if not made:
            builtins.open = real
            try:
                from unittest.mock import mock_open
            finally:
                builtins.open = opened
            made.append(mock_open(read_data=text))
        return made[0](*arguments, **options)

    return opened
