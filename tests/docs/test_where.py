"""docs/explanation/where.md: each file that it names is there and defines what is to be found in it."""

from __future__ import annotations

import ast
import re

import pytest

from tests.support.places import ROOT

PAGE = (ROOT / "docs" / "explanation" / "where.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| (.+?) \| `([^`]+)` \| (.+?) \|$", PAGE, re.MULTILINE)


def defined(source: str) -> set[str]:
    """Functions and classes of a module, and methods as `Class.method`."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    names = set()
    for node in ast.parse(source).body:
        if isinstance(node, kinds):
            names.add(node.name)
            if isinstance(node, ast.ClassDef):
                names |= {f"{node.name}.{inner.name}" for inner in node.body if isinstance(inner, kinds)}
    return names


@pytest.mark.parametrize(("file", "names"), [(file, names) for _, file, names in ROWS])
def test_the_file_defines_what_is_to_be_found_in_it(file: str, names: str) -> None:
    assert set(re.findall(r"`([^`]+)`", names)) <= defined((ROOT / file).read_text(encoding="utf-8"))


def test_ten_behaviours_are_decided_in_one_or_two_files_each() -> None:
    files: list[set[str]] = []
    for behaviour, file, _ in ROWS:
        if behaviour.startswith("..."):
            files[-1].add(file)
        else:
            files.append({file})
    assert len(files) == 10
    assert {len(group) for group in files} <= {1, 2}
