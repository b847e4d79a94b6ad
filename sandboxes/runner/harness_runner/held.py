"""A program as LiveCodeBench's published harness would hold it: its stdin and `open` are mocks.

A job of the grader `lcb-reference` loads a program here with `load`; then each test is a call of `graded`. It
knows inputs alone: what is right stays outside. Every oddity is one of the published harness's
(`testing_util.py` at 28fef95), told in `docs/how-to/livecodebench.md`. It is part of the server, so that
no job has to compile it.
"""

from __future__ import annotations

import ast
import builtins
import io
import json
import os
import re
import sys
import types
from collections.abc import Callable, Sequence
from typing import Any

#: Taken from `os` before a program runs.
_TAKEN = (
    "kill", "system", "putenv", "remove", "removedirs", "rmdir", "fchdir", "setuid", "fork", "forkpty",
    "killpg", "rename", "renames", "truncate", "replace", "unlink", "fchmod", "fchown", "chmod", "chown",
    "chroot", "lchflags", "lchmod", "lchown", "getcwd", "chdir",
)  # fmt: skip
_LIBRARIES = {"shutil": ("rmtree", "move", "chown"), "subprocess": ("Popen",)}
#: A program with one of these is written as text and read again, as the harness does with all of them: the
#: text may not be what was read.
_TELLTALE = re.compile(r"""Solution|__future__|\b(?:[fF][rR]?|[rR][fF])['"]""")
#: What each level of a program's tree takes at least one of, and the most of them for which `ast.unparse`,
#: with four calls a level, surely stays below Python's limit of a thousand.
_LEVEL = re.compile(
    r"[-+*/%|&^~@.(\[{]|\b(?:if|else|not|lambda|await|yield|for|while|with|def|class|try|except|match|case)\b"
)
_LEVELS = 200
_ABSENT = ("ipdb", "joblib", "resource", "psutil", "tkinter")

_method: Callable[..., Any] = print
_from_stdin = True


def load(program: str, entry_point: str | None, prelude: str) -> None:
    """Compile and load; whatever this raises fails every test.

    Args:
        program: its text.
        entry_point: the method to call; None for a program that reads stdin.
        prelude: statements that give every program its names.
    """
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
    module = types.ModuleType("tmp_sol", "")
    source = ""
    codes = _plain(program, prelude) if _from_stdin else []
    if not codes:
        source = _wrapped(program, prelude) if _from_stdin else prelude + "\n\n" + program
        codes = [_compiled(source)]
    for code in codes:
        exec(code, module.__dict__)
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


def _compiled(source: str | ast.Module) -> types.CodeType:
    return compile(source, "<string>", "exec", dont_inherit=True)


def _wrapped(program: str, prelude: str) -> str:
    """The program as a function: its imports before it, its last `if __name__` block without the `if`."""
    try:
        tree = ast.parse(program)
        last = tree.body[-1]
        if isinstance(last, ast.If) and ast.unparse(last.test).strip() == "__name__ == '__main__'":
            program = _unparsed(tree.body[:-1]) + "\n" + _unparsed(last.body)
    except Exception:  # noqa: S110 - as the harness does
        pass
    try:
        imports, others = _parted(ast.parse(program).body)
        return prelude + "\n" + _unparsed(imports) + "\n" + ast.unparse(_function(others))
    except Exception:
        return program


def _plain(program: str, prelude: str) -> list[types.CodeType]:
    """The code of what `_wrapped` gives, without writing the tree as text and reading that again; nothing
    for a program of which that might become another one, or an error."""
    if not program.isascii() or _TELLTALE.search(program) or len(_LEVEL.findall(program)) > _LEVELS:
        return []
    try:
        body = ast.parse(program).body
        match body[-1]:
            case ast.If(
                ast.Compare(ast.Name("__name__"), [ast.Eq()], [ast.Constant("__main__", None)]), block
            ):
                body = [*body[:-1], *block]
        imports, others = _parted(body)
        if not others:
            return []
        function = _function(others)
        function.col_offset = 0
        statements: list[ast.stmt] = [*imports, function]
        return [_compiled(prelude), _compiled(ast.Module(body=statements, type_ignores=[]))]
    except Exception:
        return []


def _parted(body: Sequence[ast.stmt]) -> tuple[list[ast.stmt], list[ast.stmt]]:
    """The imports of the top level, and the rest."""
    imports: list[ast.stmt] = [node for node in body if isinstance(node, (ast.Import, ast.ImportFrom))]
    return imports, [node for node in body if not isinstance(node, (ast.Import, ast.ImportFrom))]


def _function(body: Sequence[ast.stmt]) -> ast.FunctionDef:
    nothing = ast.arguments(
        posonlyargs=[], args=[], kwonlyargs=[], kw_defaults=[], defaults=[]
    )  # fmt: skip
    return ast.FunctionDef(
        name="wrapped_function", args=nothing, body=list(body), decorator_list=[], lineno=1
    )


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
