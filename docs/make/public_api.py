"""The page of what plugins may import: the rooms' `__all__`, each name with its first sentence."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Final

#: Rooms whose names are public, in the order in which a plugin's author meets them.
ROOMS: Final = (
    "contract",
    "recipe",
    "plugging",
    "testing",
    "recording",
    "planning",
    "scoring",
    "training",
    "statistics",
    "statistics.irt",
    "support",
    "readout",
    "board",
    "benchmarking",
)

INTRO: Final = """\
# Public API

What a plugin may import: `from harness import hookimpl, API`, and the names below, from the package that
they stand under (`from harness.contract import Task`). This page is written by `make docs` from the
packages' `__all__`.

- **Stable** within a major version of the plugin API (`harness.API`, now {api}): a name that stands here
  keeps its meaning and its parameters. New names, optional members and arguments with a default come with a
  minor version. A plugin says which one it was written for by `HARNESS_API = {tuple}`.
- **Suites** of `harness.testing` may try more with any release: what they find was wrong before.
- **Everything else**, modules inside these packages included, may change with any release. First-party
  plugins import nothing else either, which a test checks.
- A plugin's own modules are its own. If others may import one, its `__init__` says so:
  `PUBLIC = ("module",)`.
"""


def page(api: tuple[int, int]) -> str:
    """The page."""
    parts = [INTRO.format(api=".".join(map(str, api)), tuple=api)]
    for room in ROOMS:
        package = importlib.import_module(f"harness.{room}")
        parts.append(f"## harness.{room}\n\n{_sentence(package)}\n")
        parts.append("| name | what it is |\n|---|---|\n" + "\n".join(_rows(package)) + "\n")
    return "\n".join(parts)


def _rows(package: ModuleType) -> Iterator[str]:
    for name in package.__all__:
        try:
            value = getattr(package, name)
        except AttributeError:
            value = importlib.import_module(f"{package.__name__}.{name}")
        told = _sentence(value) or _first(_constant(package, name))
        yield f"| `{name}` | {told.replace('|', chr(92) + '|')} |"


def _constant(package: ModuleType, name: str) -> str:
    """The `#:` lines above a name where it is given its value, in the module that the room takes it from."""
    room = Path(str(package.__file__))
    stub = room.with_suffix(".pyi")
    tree = ast.parse((stub if stub.exists() else room).read_text(encoding="utf-8"))
    origins = [
        node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module and name in [alias.name for alias in node.names]
    ]
    if not origins:
        return ""
    source = inspect.getsource(importlib.import_module(origins[0]))
    given = re.search(rf"((?:^#:.*\n)+)^{name}\b[^\n]*=", source, re.MULTILINE)
    return " ".join(line.removeprefix("#:").strip() for line in given[1].splitlines()) if given else ""


def _sentence(value: object) -> str:
    """The first sentence of a docstring; "" for plain values and type aliases."""
    documented = inspect.isclass(value) or inspect.isfunction(value) or inspect.ismodule(value)
    # A dataclass without a docstring is given its signature as one.
    doc = inspect.cleandoc(getattr(value, "__doc__", None) or "") if documented else ""
    if inspect.isclass(value) and doc.startswith(f"{value.__name__}("):
        return ""
    return _first(" ".join(doc.partition("\n\n")[0].split()))


def _first(text: str) -> str:
    return re.split(r"(?<=\.)\s", text, maxsplit=1)[0]
