"""Values of constant expressions: what a test's author wrote for the answer, computed without running it."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Mapping
from typing import Any, Final


class NotConstant(Exception):
    """The expression is more than literals and arithmetic on them; says which part."""


_BUILDERS: Final[Mapping[str, Callable[..., Any]]] = {
    "set": set, "frozenset": frozenset, "tuple": tuple, "list": list, "dict": dict, "sorted": sorted,
    "float": float, "int": int, "complex": complex, "str": str, "bool": bool, "range": range, "bytes": bytes,
}  # fmt: skip
#: Largest text or list that a constant expression may make: `"a" * 10 ** 9` is not for us to compute.
_MAX_CONSTANT: Final = 1 << 20


def constant(node: ast.expr) -> Any:
    """The value of an expression of literals; raises NotConstant when it is more than that."""
    try:
        return _constant(node)
    except (TypeError, ValueError, ZeroDivisionError, OverflowError, RecursionError) as error:
        raise NotConstant(f"no constant: {ast.unparse(node)[:60]}: {error}") from None


_ARITHMETIC: Final[Mapping[type[ast.operator], Callable[[Any, Any], Any]]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod, ast.Pow: operator.pow,
}  # fmt: skip


def _constant(node: ast.expr) -> Any:
    match node:
        case ast.Constant(value=value):
            return value
        case ast.List(elts=items):
            return [_constant(item) for item in items]
        case ast.Tuple(elts=items):
            return tuple(_constant(item) for item in items)
        case ast.Set(elts=items):
            return {_constant(item) for item in items}
        case ast.Dict(keys=keys, values=items) if None not in keys:
            return {_constant(k): _constant(v) for k, v in zip(keys, items, strict=True) if k is not None}
        case ast.UnaryOp(op=ast.USub(), operand=inner):
            return -_constant(inner)
        case ast.UnaryOp(op=ast.UAdd(), operand=inner):
            return +_constant(inner)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _ARITHMETIC:
            return _arithmetic(type(op), _constant(left), _constant(right))
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name in _BUILDERS:
            return _BUILDERS[name](*[_constant(argument) for argument in args])
        case ast.Attribute(value=ast.Name(id="math"), attr="pi" | "e" | "inf" | "nan" as name):
            return getattr(math, name)
    raise NotConstant(f"no constant: {ast.unparse(node)[:60]}")


def _arithmetic(kind: type[ast.operator], left: Any, right: Any) -> Any:
    if kind is ast.Pow and not (
        isinstance(left, (int, float))
        and isinstance(right, (int, float))
        and abs(left) < 1e6
        and abs(right) < 300
    ):
        raise NotConstant("a power too large to be a constant")
    if kind is ast.Mult:
        for one, other in ((left, right), (right, left)):
            if (
                isinstance(one, (str, bytes, list, tuple))
                and isinstance(other, int)
                and len(one) * other > _MAX_CONSTANT
            ):
                raise NotConstant("a repetition too long to be a constant")
    return _ARITHMETIC[kind](left, right)
