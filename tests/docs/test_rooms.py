"""The rooms of harness/: who imports whom at import time, how large modules are, and no plugin among them.

Imports inside functions and under TYPE_CHECKING do not count: they are no part of what must be there first.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.support.places import ROOT

CORE = ROOT / "harness"
#: Floors: a room stands one above the highest room that it imports.
FLOORS = 9
ENTRIES = 20
LINES = 500


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path): path for path in sorted(CORE.rglob("*.py"))}


def imported(body: list[ast.stmt]) -> Iterator[str]:
    """Names of what is imported when a module is, packages' members as `package.member`."""
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            yield from imported(node.orelse)
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports name their module in full"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        for part in ("body", "orelse", "finalbody"):
            yield from imported(getattr(node, part, []))
        for handler in getattr(node, "handlers", []):
            yield from imported(handler.body)


def module_of(name: str) -> str:
    """The module that a name is from."""
    return name if name in MODULES else name.rpartition(".")[0]


IMPORTS = {
    name: {module_of(n) for n in imported(ast.parse(path.read_text(encoding="utf-8")).body)}
    for name, path in MODULES.items()
}


def room(module: str) -> str:
    """The room of a module; the package `harness` itself, which only passes names on, is one."""
    return ".".join(module.split(".")[:2])


def graph() -> dict[str, set[str]]:
    """Room -> rooms that it imports."""
    rooms: dict[str, set[str]] = {room(name): set() for name in MODULES}
    for name, targets in IMPORTS.items():
        rooms[room(name)] |= {room(t) for t in targets if t.partition(".")[0] == "harness"} - {room(name)}
    # `from harness import hookimpl` is the contract's.
    return {name: {t for t in targets if t != "harness"} for name, targets in rooms.items()}


def floors() -> dict[str, int]:
    """Room -> floor, 1 for those that import none."""
    rooms = graph()

    @cache
    def floor(name: str) -> int:
        return 1 + max((floor(below) for below in rooms[name]), default=0)

    return {name: floor(name) for name in rooms}


def test_rooms_import_each_other_in_no_circle() -> None:
    try:
        list(TopologicalSorter(graph()).static_order())
    except CycleError as error:
        pytest.fail(f"a circle of rooms: {' -> '.join(error.args[1])}")


def test_modules_import_each_other_in_no_circle() -> None:
    inner = {name: {t for t in targets if t in MODULES} - {name} for name, targets in IMPORTS.items()}
    try:
        list(TopologicalSorter(inner).static_order())
    except CycleError as error:
        pytest.fail(f"a circle of modules: {' -> '.join(error.args[1])}")


def test_the_house_has_few_floors() -> None:
    assert max(floors().values()) <= FLOORS


def test_the_hall_has_few_doors() -> None:
    entries = [path.name for path in CORE.iterdir() if path.name != "__pycache__"]
    assert len(entries) <= ENTRIES, entries


def test_modules_are_small() -> None:
    sizes = {
        path.relative_to(ROOT).as_posix(): len(path.read_text(encoding="utf-8").splitlines())
        for path in MODULES.values()
    }
    assert not {name: n for name, n in sizes.items() if n > LINES}


def test_the_core_imports_no_plugin() -> None:
    for name, path in MODULES.items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not [n for n in names if n.startswith("harness_")], name


def test_the_page_tells_the_floors_as_they_are() -> None:
    page = (ROOT / "docs" / "explanation" / "architecture.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d) \| (.+?) \|", page, re.MULTILINE)
    told = {int(floor): set(re.findall(r"`(\w+)`", names)) for floor, names in rows}
    real: dict[int, set[str]] = {}
    for name, floor in floors().items():
        if name not in ("harness", "harness.__main__"):
            real.setdefault(floor, set()).add(name.partition(".")[2])
    assert told == real
