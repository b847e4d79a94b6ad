"""Tests written as asserts, turned into questions whose answers stay outside.

`assert f(2, 3) == 5` becomes the expression `f(2, 3)`, evaluated in the sandbox, and the expectation
`== 5`, checked here. What cannot be turned into such pairs (loops, both sides computed by the
program, helpers) is left as test code, to be run in a process of its own: evidence that is weak.
"""

from __future__ import annotations

import ast
import math
import operator
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from harness_runner.values import Opaque

from harness_code.cases import Asserts
from harness_code.constants import NotConstant, constant
from harness_code.counting import parse

_OPERATORS: Final[Mapping[type[ast.cmpop], tuple[str, Callable[[Any, Any], Any]]]] = {
    ast.Eq: ("==", operator.eq),
    ast.NotEq: ("!=", operator.ne),
    ast.Lt: ("<", operator.lt),
    ast.LtE: ("<=", operator.le),
    ast.Gt: (">", operator.gt),
    ast.GtE: (">=", operator.ge),
    ast.In: ("in", lambda value, known: value in known),
    ast.NotIn: ("not in", lambda value, known: value not in known),
    ast.Is: ("is", lambda value, known: type(value) is type(known) and value == known),
    ast.IsNot: ("is not", lambda value, known: type(value) is not type(known) or value != known),
}
_FLIPPED: Final = {ast.Lt: ast.Gt, ast.LtE: ast.GtE, ast.Gt: ast.Lt, ast.GtE: ast.LtE}


@dataclass(frozen=True, slots=True)
class Expectation:
    """What the value of an expression has to be. `name` is an operator, `truthy`, `falsy` or `close`."""

    name: str
    known: Any = None
    #: Absolute and relative tolerance of `close`.
    absolute: float = 0.0
    relative: float = 0.0

    def holds(self, value: Any) -> bool:
        """Whether a plain value that came out of the sandbox is as expected."""
        if isinstance(value, Opaque):
            # The object stayed inside. It is true unless its class says otherwise: not evidence.
            return False
        try:
            return bool(self._test(value))
        except (TypeError, ValueError, OverflowError, RecursionError):
            return False

    def _test(self, value: Any) -> Any:
        if self.name == "truthy":
            return value
        if self.name == "falsy":
            return not value
        if self.name == "close":
            return math.isclose(value, self.known, abs_tol=self.absolute, rel_tol=self.relative)
        return next(test for name, test in _OPERATORS.values() if name == self.name)(value, self.known)


@dataclass(frozen=True, slots=True)
class Question:
    """An expression to evaluate in the program's namespace, and what it should give."""

    expression: str
    expectation: Expectation


class NotRewritable(Exception):
    """The tests are more than asserts about single values."""


@lru_cache(maxsize=4096)
def questions(source: str, entry_point: str) -> tuple[Question, ...]:
    """As `rewrite`, remembered; empty if the tests cannot be rewritten or ask nothing."""
    try:
        return tuple(rewrite(source, entry_point))
    except NotRewritable:
        return ()


def rewrite(source: str, entry_point: str) -> list[Question]:
    """The tests as questions.

    `source` is asserts, or a `check(candidate)` function as HumanEval has it.

    Raises:
        NotRewritable: some statement cannot be turned into a question; says which.
    """
    try:
        tree = parse(source)
    except (SyntaxError, ValueError, RecursionError) as error:
        raise NotRewritable(f"does not parse: {error}") from None
    body, alias = tree.body, entry_point
    checks = [node for node in body if isinstance(node, ast.FunctionDef) and node.name == "check"]
    if checks:
        others = [node for node in body if node is not checks[0] and not _harmless(node)]
        if others or len(checks[0].args.args) != 1:
            raise NotRewritable(f"has more than check(): {ast.unparse((others or checks)[0])[:60]}")
        body, alias = checks[0].body, checks[0].args.args[0].arg
    try:
        return _read(body, _Reader(entry_point, alias))
    except NotConstant as error:
        raise NotRewritable(str(error)) from None


def _read(body: list[ast.stmt], reader: _Reader) -> list[Question]:
    questions = []
    for node in body:
        if isinstance(node, ast.Assert):
            questions += reader.questions(node.test)
        elif isinstance(node, ast.Assign):
            reader.assign(node)
        elif not _harmless(node):
            raise NotRewritable(f"not an assert: {ast.unparse(node)[:60]}")
    return questions


def _harmless(node: ast.stmt) -> bool:
    if isinstance(node, ast.Expr):
        call = node.value
        return isinstance(call, (ast.Constant, ast.Name)) or (
            isinstance(call, ast.Call)
            and isinstance(call.func, ast.Name)
            and call.func.id in ("check", "print")
        )
    return isinstance(node, (ast.Pass, ast.Import, ast.ImportFrom)) or (
        isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "METADATA"
    )


class _Reader:
    """Reads assertions about `entry_point`, which the tests call by the name `alias`."""

    def __init__(self, entry_point: str, alias: str) -> None:
        self._entry_point, self._alias = entry_point, alias
        self._constants: dict[str, ast.expr] = {}
        #: Names of values that a program could change, which a question has taken a copy of.
        self._taken: set[str] = set()

    def assign(self, node: ast.Assign) -> None:
        if len(node.targets) != 1 or not isinstance(node.targets[0], ast.Name) or self._asks(node.value):
            raise NotRewritable(f"an assignment: {ast.unparse(node)[:60]}")
        value = self._renamed(node.value)
        constant(value)
        self._constants[node.targets[0].id] = value

    def questions(self, test: ast.expr) -> list[Question]:
        if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And):
            return [question for part in test.values for question in self.questions(part)]
        if isinstance(test, ast.Constant) and test.value:
            return []
        return [self._question(test)]

    def _question(self, test: ast.expr) -> Question:
        if self._is_call(test):
            return self._ask(test, Expectation("truthy"))
        if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not) and self._is_call(test.operand):
            return self._ask(test.operand, Expectation("falsy"))
        if isinstance(test, ast.Compare) and len(test.ops) == 1:
            return self._comparison(test.left, test.ops[0], test.comparators[0])
        if isinstance(test, ast.Call) and ast.unparse(test.func) in ("math.isclose", "isclose"):
            return self._isclose(test)
        raise NotRewritable(f"not a comparison: {ast.unparse(test)[:60]}")

    def _comparison(self, left: ast.expr, op: ast.cmpop, right: ast.expr) -> Question:
        kind = type(op)
        if kind in (ast.In, ast.NotIn) and self._asks(right):
            raise NotRewritable("asks whether something is in a computed value")
        if not self._asks(left) and self._asks(right):
            left, right, kind = right, left, _FLIPPED.get(kind, kind)
        if kind in (ast.Lt, ast.LtE) and (close := self._distance(left, right)) is not None:
            return close
        name = _OPERATORS[kind][0]
        return self._ask(left, Expectation(name, constant(self._renamed(right))))

    def _distance(self, left: ast.expr, right: ast.expr) -> Question | None:
        """`abs(f(x) - 1.5) < 1e-6`: the known value must not go in with the expression."""
        if not (isinstance(left, ast.Call) and ast.unparse(left.func) in ("abs", "math.fabs")):
            return None
        inner = left.args[0] if len(left.args) == 1 else None
        if not (isinstance(inner, ast.BinOp) and isinstance(inner.op, ast.Sub)):
            return None
        asked, known = inner.left, inner.right
        if not self._asks(asked):
            asked, known = known, asked
        value, width = constant(self._renamed(known)), constant(self._renamed(right))
        return self._ask(asked, Expectation("close", value, absolute=float(width)))

    def _isclose(self, test: ast.Call) -> Question:
        if len(test.args) != 2:
            raise NotRewritable("isclose of other than two values")
        asked, known = test.args if self._asks(test.args[0]) else test.args[::-1]
        given = {word.arg: float(constant(word.value)) for word in test.keywords}
        relative, absolute = given.pop("rel_tol", 1e-9), given.pop("abs_tol", 0.0)
        if given:
            raise NotRewritable("isclose with other options")
        expectation = Expectation("close", constant(self._renamed(known)), absolute, relative)
        return self._ask(asked, expectation)

    def _ask(self, node: ast.expr, expectation: Expectation) -> Question:
        renamed = self._renamed(node)
        if not self._asks(node) or any(
            isinstance(inner, (ast.Compare, ast.Lambda)) for inner in ast.walk(node)
        ):
            raise NotRewritable(f"not a plain question: {ast.unparse(node)[:60]}")
        return Question(ast.unparse(renamed), expectation)

    def _is_call(self, node: ast.expr) -> bool:
        return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == self._alias

    def _asks(self, node: ast.expr) -> bool:
        return any(isinstance(inner, ast.Name) and inner.id == self._alias for inner in ast.walk(node))

    def _take(self, node: ast.expr) -> None:
        """Note the values that a program could change: two questions about one have to be asked in order."""
        for inner in ast.walk(node):
            if not isinstance(inner, ast.Name) or not _mutable(
                self._constants.get(inner.id, ast.Constant(0))
            ):
                continue
            if inner.id in self._taken:
                raise NotRewritable(f"{inner.id!r} could be changed before it is used again")
            self._taken.add(inner.id)

    def _renamed(self, node: ast.expr) -> ast.expr:
        self._take(node)
        names = {self._alias: ast.Name(self._entry_point, ast.Load()), **self._constants}

        class Rename(ast.NodeTransformer):
            def visit_Name(self, name: ast.Name) -> ast.expr:
                return names.get(name.id, name)

        return Rename().visit(ast.parse(ast.unparse(node), mode="eval").body)  # type: ignore[no-any-return]


def _mutable(node: ast.expr) -> bool:
    immutable = ast.Constant | ast.UnaryOp | ast.BinOp
    return not (
        isinstance(node, immutable) or (isinstance(node, ast.Tuple) and not any(map(_mutable, node.elts)))
    )


def program(answer: Asserts) -> str:
    """The test code of an answer as a program of its own; `__solution__` holds the function asked about.

    The data set's own prelude may define what the tests use; the function is the program's, whatever the
    prelude makes of its name. A `check(candidate)` that nobody calls is called.
    """
    name = answer.entry_point
    imports = "".join(f"import {module}\n" for module in modules(answer.tests))
    ours = f"{name} = __solution__[{name!r}]"
    tests = f"{imports}{answer.prelude}\n{answer.setup}\n{ours}\n{answer.tests}\n"
    if "def check(" in answer.tests and f"check({name})" not in answer.tests:
        tests += f"check({name})\n"
    return tests


def modules(source: str) -> list[str]:
    """Modules of the standard library that tests name without importing them: data sets whose tests
    ran in the program's own namespace leave that to the program."""
    try:
        tree = parse(source)
    except (SyntaxError, ValueError, RecursionError):
        return []
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    return sorted(names & sys.stdlib_module_names)
