"""Names that say nothing are no names here."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.places import ROOT

#: Each could name anything; a variable is named after what it holds.
EMPTY = {"found"}
FOLDERS = ("bench", "docs", "findings", "harness", "plugins", "sandboxes", "tests")


def _names(file: Path) -> Iterator[tuple[str, int]]:
    """Names that a file binds, with their lines."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        match node:
            case ast.Name(id=name, ctx=ast.Store()) | ast.FunctionDef(name=name) | ast.arg(arg=name):
                yield name, node.lineno


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_variable_is_named_after_what_it_holds(folder: str) -> None:
    files = sorted((ROOT / folder).rglob("*.py"))
    empty = [
        f"{f.relative_to(ROOT)}:{line}: {name}" for f in files for name, line in _names(f) if name in EMPTY
    ]
    assert empty == []
