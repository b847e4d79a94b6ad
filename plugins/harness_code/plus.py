"""EvalPlus's test programs, read as data: arguments and expected values, with the oracle of each problem.

The Hub's rows carry a program that calls a function in a loop over `inputs` and compares with `results`, by
numpy. Here the lists are read without running anything, so that what is right stays outside the sandbox and
no numpy is needed inside. A few problems compare with a reference function instead
(`ref_func`); they stay test code, which runs beside the program.
"""

from __future__ import annotations

import ast
import json
import math
from collections.abc import Callable, Mapping
from typing import Any, Final

from harness_runner import values

from harness.contract import DataError
from harness_code.constants import NotConstant, constant
from harness_code.counting import parse

#: MBPP+ problems where any order and number of the items is right (`MBPP_OUTPUT_SET_EQ_TASKS`).
SETS: Final = frozenset({
    "similar_elements", "find_char_long", "common_in_nested_lists", "extract_singly", "larg_nnum",
    "intersection_array", "find_dissimilar", "Diff",
})  # fmt: skip
#: MBPP+ problems that are asked only whether there is a match (`MBPP_OUTPUT_NOT_NONE_TASKS`).
MATCHED: Final = frozenset({"check_str", "text_match_three", "text_starta_endb"})
#: Limits of test code with a reference function, which may build large values.
_WITH_REFERENCE: Final = {"cpu_seconds": 30.0, "wall_seconds": 90.0, "memory_mb": 1024}
#: Limits of plain calls: all of a problem's calls together.
_PLAIN: Final = {"cpu_seconds": 20.0, "wall_seconds": 60.0, "memory_mb": 1024}
_NAMES: Final = ("inf", "nan", "pi", "e")
_SAME: Final = """
def __same__(out, exp):
    if out == exp:
        return True
    if isinstance(exp, float):
        return isinstance(out, float) and abs(out - exp) <= {tolerance!r} + 1e-07 * abs(exp)
    if isinstance(exp, (list, tuple)) and type(out) is type(exp) and len(out) == len(exp):
        return all(map(__same__, out, exp))
    return False

def check(candidate):
    for inp in {inputs}:
        assert __same__(candidate(*inp), ref_func(*inp))
"""


def answer_of(tests: str, entry_point: str, *, mbpp: bool, prelude: str = "") -> dict[str, Any]:
    """The answer of a code task (`cases.Checked`, or `cases.Asserts` with a reference function).

    Args:
        tests: the column `test` of evalplus/humanevalplus or evalplus/mbppplus.
        prelude: code before the program.

    Raises:
        DataError: the program is not laid out as EvalPlus's are.
    """
    try:
        tree = parse(tests)
    except (SyntaxError, ValueError, RecursionError) as error:
        raise DataError(f"does not parse: {error}") from None
    checks = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "check"]
    body = checks[0].body if checks else tree.body
    lists = {
        node.targets[0].id: node.value
        for node in body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    if "inputs" not in lists:
        raise DataError("has no list `inputs`")
    tolerance = _tolerance(body, entry_point)
    if "results" not in lists:
        return _by_reference(tree, lists["inputs"], entry_point, tolerance, prelude)
    inputs, results = _constant(lists["inputs"]), _constant(lists["results"])
    if not isinstance(inputs, list) or not isinstance(results, list) or len(inputs) != len(results):
        raise DataError("`inputs` and `results` are not two lists of one length")
    if not inputs:
        raise DataError("`inputs` is empty, so every program would pass")
    oracle, expected = _oracle(entry_point, mbpp, inputs, results)
    calls = [[list(arguments), right] for arguments, right in zip(inputs, expected, strict=True)]
    return {
        "kind": "checked", "entry_point": entry_point, "calls": json.dumps(values.pack(calls)),
        "oracle": oracle, "tolerance": tolerance, "prelude": prelude, "limits": _PLAIN,
    }  # fmt: skip


def _oracle(entry_point: str, mbpp: bool, inputs: list[Any], results: list[Any]) -> tuple[str, list[Any]]:
    """The rule by which a problem's values are right, and what it holds them against."""
    if not mbpp:
        if entry_point == "find_zero":
            return "root", [[arguments[0], r] for arguments, r in zip(inputs, results, strict=True)]
        return "plus", results
    if entry_point in SETS:
        return "set", results
    if entry_point in MATCHED:
        return "matched", [r if isinstance(r, bool) else r is not None for r in results]
    if entry_point == "are_equivalent":
        return "anything", results
    other = _SECOND.get(entry_point)
    if other is None:
        return "plus", results
    return "one-of", [[r, other(*arguments)] for arguments, r in zip(inputs, results, strict=True)]


def _surface_area(base_edge: float, height: float) -> int:
    """Surface of a pyramid whose `height` is that of its apex over the base, not of its sides (Mbpp/581)."""
    slant = math.sqrt((base_edge / 2) ** 2 + height**2)
    return round(base_edge**2 + 2 * base_edge * slant)


def _digit_distance(one: int, other: int) -> int:
    """The sum of the differences of two numbers' digits, the shorter filled with zeros (Mbpp/558)."""
    width = max(len(str(one)), len(str(other)))
    pairs = zip(str(one).zfill(width), str(other).zfill(width), strict=True)
    return sum(abs(int(a) - int(b)) for a, b in pairs)


#: MBPP+ problems whose text can be read in two ways: what the second one gives.
_SECOND: Final[Mapping[str, Callable[..., Any]]] = {
    "sum_div": lambda *_: 0,
    "surface_Area": _surface_area,
    "digit_distance_nums": _digit_distance,
}


def _tolerance(body: list[ast.stmt], entry_point: str) -> float:
    """The tolerance that the loop hands to `assertion`, or compares a polynomial with."""
    loops = (statement for statement in body if isinstance(statement, ast.For))
    for node in (n for loop in loops for n in ast.walk(loop)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "assertion":
            return float(_constant(node.args[2])) if len(node.args) == 3 else 0.0
        if entry_point == "find_zero" and isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.LtE):
            return float(_constant(node.comparators[0]))
    raise DataError("no `assertion(...)` is called")


def _by_reference(
    tree: ast.Module, inputs: ast.expr, entry_point: str, tolerance: float, prelude: str
) -> dict[str, Any]:
    kept = [
        node
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and node.name not in ("check", "assertion", "is_floats")
    ]
    if not any(node.name == "ref_func" for node in kept):
        raise DataError("has neither a list `results` nor a function `ref_func`")
    imports = [
        node
        for node in tree.body
        if isinstance(node, ast.Import | ast.ImportFrom) and "numpy" not in ast.unparse(node)
    ]
    loop = _SAME.format(tolerance=tolerance or 1e-6, inputs=ast.unparse(inputs))
    return {
        "kind": "asserts", "entry_point": entry_point, "prelude": prelude, "limits": _WITH_REFERENCE,
        "tests": "\n".join(map(ast.unparse, [*imports, *kept])) + "\n" + loop,
    }  # fmt: skip


def _constant(node: ast.expr) -> Any:
    """A list of literals, with `inf` and its like as the test programs import them from `math`; raises
    DataError for anything else."""
    # Millions of plain numbers and texts: by type, and all else by `constant`.
    kind = type(node)
    if kind is ast.Constant:
        return node.value  # type: ignore[attr-defined]
    if kind is ast.List:
        return [_constant(item) for item in node.elts]  # type: ignore[attr-defined]
    if kind is ast.Tuple:
        return tuple(_constant(item) for item in node.elts)  # type: ignore[attr-defined]
    if kind is ast.Name and node.id in _NAMES:  # type: ignore[attr-defined]
        return getattr(math, node.id)  # type: ignore[attr-defined]
    try:
        return constant(_Named().visit(node))
    except NotConstant as error:
        raise DataError(str(error)) from None


class _Named(ast.NodeTransformer):
    """Names that the test programs import from `math`, as `constant` knows them."""

    def visit_Name(self, name: ast.Name) -> ast.expr:
        if name.id in _NAMES:
            return ast.Attribute(ast.Name("math", ast.Load()), name.id, ast.Load())
        return name
