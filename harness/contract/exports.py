"""Rooms say what is public without importing it: a name comes from its module on first use.

Every start of `harness` imports the rooms' `__init__`; what stands in their modules costs tenths of a second.
The one list of a room's names is its stub, `__init__.pyi`: type checkers and editors read it as it is, and
here it is read for the names' homes.
"""

from __future__ import annotations

import ast
import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any


def exported(room: str) -> tuple[list[str], Callable[[str], Any], Callable[[], list[str]]]:
    """A room's `__all__`, `__getattr__` and `__dir__`.

    Args:
        room: the package, as `__name__`; beside its `__init__.py` is a stub of lines like
            `from harness.contract.records import Task as Task`.
    """
    package = sys.modules[room]
    stub = Path(str(package.__file__)).with_suffix(".pyi")
    home_of = {
        alias.name: node.module
        for node in ast.parse(stub.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
    }

    def load(name: str) -> Any:
        if name not in home_of:
            raise AttributeError(f"module {room!r} has no attribute {name!r}")
        home = home_of[name]
        if home == room:
            return importlib.import_module(f"{room}.{name}")
        value = getattr(importlib.import_module(home), name)
        setattr(package, name, value)
        return value

    names = sorted(home_of)
    return names, load, lambda: sorted({*vars(package), *names})
