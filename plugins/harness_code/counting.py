"""Test code that is run as it is: what in it can fail a program, and the same code counting that as it runs.

An assertion is an `assert` whose condition depends on something, a call of a function named `assert...`, an
`if` that raises, and an exception that is expected: `try` with something that fails after the call, or
`with pytest.raises(...)`, which needs no pytest here. Counted are those that ran after the program was asked.
"""

from __future__ import annotations

import ast
import io
import tokenize
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Final

#: The function that the tests' process offers under this name (`harness_runner.rpc`).
COUNT: Final = "__asserted__"
#: Exceptions whose handlers take a failed assertion, too.
_TAKES_ALL: Final = frozenset({"Exception", "BaseException", "AssertionError"})
#: Digits beyond which Python neither reads nor writes a decimal integer.
_DIGITS: Final = 4000

_Function = ast.FunctionDef | ast.AsyncFunctionDef


class NotTests(Exception):
    """The code tests no program; says why."""


@dataclass(frozen=True, slots=True)
class Counting:
    """Test code that counts, and how many places in it can fail a program."""

    source: str
    places: int


def parse(source: str) -> ast.Module:
    """The code as a tree, integers of any length included; raises SyntaxError, ValueError, RecursionError."""
    with warnings.catch_warnings():
        # Escapes like "\\d" in data are not ours to warn about.
        warnings.simplefilter("ignore")
        try:
            return ast.parse(source)
        except (SyntaxError, ValueError):
            if len(source) <= _DIGITS:
                raise
            return ast.parse(_in_hexadecimal(source))


@lru_cache(maxsize=1024)
def counting(source: str, entry_point: str) -> Counting:
    """Test code that counts its assertions; `source` gives the name `entry_point` to the program's function.

    Raises:
        NotTests: it does not parse, or no assertion about the program can run.
    """
    try:
        tree = parse(source)
    except (SyntaxError, ValueError, RecursionError) as error:
        raise NotTests(f"the tests do not parse: {error}") from None
    _WithoutPytest().visit(tree)
    reached = _Reached(tree, entry_point)
    places = _Places(reached.functions)
    places.block(tree.body, taken=False)
    if not places.marked:
        raise NotTests(f"no assertion runs{reached.idle()}")
    if not reached.asks:
        raise NotTests(f"the tests never ask {entry_point!r}")
    _Counted(places).visit(tree)
    return Counting(ast.unparse(ast.fix_missing_locations(tree)), len(places.marked))


def depends(test: ast.expr) -> bool:
    """Whether a condition can be false: it names something, and no part of it makes it true by itself.

    `assert (f(1) == 2, "message")` is a tuple and always true, as is `f(1) == 2 or True`.
    """
    if isinstance(test, ast.BoolOp):
        parts = [depends(part) for part in test.values]
        return any(parts) if isinstance(test.op, ast.And) else all(parts)
    if isinstance(test, ast.Tuple | ast.List | ast.Set | ast.Dict | ast.JoinedStr):
        return False
    return _fails(test) or any(isinstance(inner, ast.Name) for inner in ast.walk(test))


def _fails(test: ast.expr) -> bool:
    return isinstance(test, ast.Constant) and not test.value


class _Reached:
    """What runs when the code is run: functions that nobody names do not."""

    def __init__(self, tree: ast.Module, entry_point: str) -> None:
        self.asks = False
        self.functions: set[_Function] = set()
        self._tree, self._entry_point = tree, entry_point
        self._by_name: dict[str, list[_Function]] = {}
        for node in ast.walk(tree):
            if isinstance(node, _Function) and node.name != entry_point:
                self._by_name.setdefault(node.name, []).append(node)
        waiting: list[ast.AST] = list(tree.body)
        while waiting:
            waiting += self._visit(waiting.pop())

    def idle(self) -> str:
        """The functions that hold assertions and that nothing calls, for a message."""
        idle = [
            node.name
            for nodes in self._by_name.values()
            for node in nodes
            if node not in self.functions
            and any(isinstance(inner, ast.stmt) and _asserts(inner) for inner in ast.walk(node))
        ]
        return f": nothing calls {', '.join(idle[:5])}" if idle else ""

    def _visit(self, node: ast.AST) -> list[ast.AST]:
        if isinstance(node, _Function):
            return [*node.decorator_list, *node.args.defaults, *(d for d in node.args.kw_defaults if d)]
        if isinstance(node, ast.If | ast.While) and _fails(node.test):
            return list(node.orelse)
        name = getattr(node, "attr", None) or (
            node.id if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) else None
        )
        more: list[ast.AST] = []
        if name == self._entry_point:
            self.asks = True
        for function in self._by_name.get(str(name), ()) if name else ():
            if function not in self.functions:
                self.functions.add(function)
                more += function.body
        return [*more, *ast.iter_child_nodes(node)]


class _Places:
    """Finds the statements that are assertions; `marked` are those that can run and can fail."""

    def __init__(self, functions: set[_Function]) -> None:
        self._functions = functions
        self.marked: set[ast.AST] = set()

    def block(self, body: Iterable[ast.stmt], *, taken: bool) -> None:
        """`taken`: a handler around the block takes every failure in it."""
        for node in body:
            self._statement(node, taken)

    def _statement(self, node: ast.stmt, taken: bool) -> None:
        if isinstance(node, _Function):
            if node in self._functions:
                self.block(node.body, taken=False)
            return
        if isinstance(node, ast.If | ast.While) and _fails(node.test):
            self.block(node.orelse, taken=taken)
            return
        if not taken and _asserts(node):
            self.marked.add(node)
        if isinstance(node, ast.Try):
            self.block(node.body, taken=taken or any(map(_takes_failures, node.handlers)))
            if not taken and _expects(node):
                self.marked.update(h for h in node.handlers if not _takes_failures(h))
            for handler in node.handlers:
                self.block(handler.body, taken=taken)
            self.block([*node.orelse, *node.finalbody], taken=taken)
            return
        for field in ("body", "orelse"):
            self.block(getattr(node, field, ()), taken=taken)
        for case in getattr(node, "cases", ()):
            self.block(case.body, taken=taken)


def _asserts(node: ast.stmt) -> bool:
    if isinstance(node, ast.Assert):
        return depends(node.test)
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        called = node.value.func
        name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
        return str(name).lower().startswith("assert")
    return isinstance(node, ast.If) and depends(node.test) and _raises([*node.body, *node.orelse])


def _expects(node: ast.Try) -> bool:
    """Whether the block fails where the exception does not come."""
    return _raises([*node.body, *node.orelse])


def _raises(body: Sequence[ast.stmt]) -> bool:
    return any(
        isinstance(node, ast.Raise) or (isinstance(node, ast.Assert) and _fails(node.test)) for node in body
    )


def _takes_failures(handler: ast.ExceptHandler) -> bool:
    """Whether a failed assertion ends in this handler, which does not pass it on."""
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    every = any(kind is None or getattr(kind, "id", "") in _TAKES_ALL for kind in kinds)
    return every and not any(isinstance(n, ast.Raise | ast.Assert) for b in handler.body for n in ast.walk(b))


class _Counted(ast.NodeTransformer):
    """Puts a count behind each assertion, and at the start of each handler of an expected exception."""

    def __init__(self, places: _Places) -> None:
        self._marked = places.marked

    def visit(self, node: ast.AST) -> ast.AST | list[ast.AST]:
        marked = node in self._marked
        node = self.generic_visit(node)
        if isinstance(node, ast.Constant) and isinstance(node.value, int) and node.value.bit_length() > 9000:
            return _call("int", ast.Constant(f"{node.value:x}"), ast.Constant(16))
        if not marked:
            return node
        count = ast.Expr(_call(COUNT))
        if isinstance(node, ast.ExceptHandler):
            node.body.insert(0, count)
            return node
        return [node, count]


class _WithoutPytest(ast.NodeTransformer):
    """`with pytest.raises(...)` as the `try` that it means."""

    def visit_Import(self, node: ast.Import) -> ast.stmt:
        node.names = [name for name in node.names if name.name != "pytest"]
        return node if node.names else ast.Pass()

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.stmt:
        return ast.Pass() if node.module == "pytest" else node

    def visit_With(self, node: ast.With) -> ast.stmt:
        self.generic_visit(node)
        item = node.items[0]
        call = item.context_expr
        if len(node.items) > 1 or item.optional_vars or not isinstance(call, ast.Call) or not call.args:
            return node
        if ast.unparse(call.func) not in ("pytest.raises", "raises"):
            return node
        handled: list[ast.stmt] = []
        for word in call.keywords:
            if word.arg != "match":
                return node
            handled += ast.parse(
                f"assert __import__('re').search({ast.unparse(word.value)}, str(__raised__))"
            ).body
        failed = ast.parse(f"raise AssertionError({'did not raise ' + ast.unparse(call.args[0])!r})").body
        handler = ast.ExceptHandler(call.args[0], "__raised__", handled or [ast.Pass()])
        return ast.Try(node.body, [handler], failed, [])


def _call(name: str, *arguments: ast.expr) -> ast.Call:
    return ast.Call(ast.Name(name, ast.Load()), list(arguments), [])


def _in_hexadecimal(source: str) -> str:
    """The code with its longest integers in hexadecimal, which Python reads at any length."""
    lines = source.splitlines(keepends=True)
    try:
        words = list(tokenize.generate_tokens(io.StringIO(source).readline))
    except (tokenize.TokenError, IndentationError) as error:
        raise SyntaxError(str(error)) from None
    for word in reversed(words):
        if word.type == tokenize.NUMBER and word.string.isdigit() and len(word.string) > _DIGITS:
            (row, start), (_, end) = word.start, word.end
            line = lines[row - 1]
            lines[row - 1] = f"{line[:start]}{int(Decimal(word.string)):#x}{line[end:]}"
    return "".join(lines)
