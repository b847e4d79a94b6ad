"""The names that the benchmark gives every program, imported only if the program may use them.

The published harness puts some twenty star imports before a program. In a process forked from a warm
server each copies memory pages, which together cost a third of a small job. So a program gets only those
that export a name that it contains, in the same order; the names that it uses are bound as if all
imports were there.
"""

from __future__ import annotations

import builtins
import importlib
import re
from functools import cache
from typing import Final

#: In the harness's order: later names cover earlier ones, `builtins` what others cover of it.
STARS: Final = (
    "string", "re", "datetime", "collections", "heapq", "bisect", "copy", "math", "random", "statistics",
    "itertools", "functools", "operator", "io", "sys", "json", "builtins", "typing",
)  # fmt: skip
MODULES: Final = (
    "string", "re", "datetime", "collections", "heapq", "bisect", "copy", "math", "random", "statistics",
    "itertools", "functools", "operator", "io", "sys", "json",
)  # fmt: skip
#: Programs with these words may name what they do not spell.
_DYNAMIC: Final = frozenset(
    {"eval", "exec", "compile", "globals", "locals", "vars", "dir", "getattr", "import_module"}
    | {"__import__", "__builtins__", "__dict__"}
)
_WORD: Final = re.compile(r"[^\W\d]\w*")
_LIMIT: Final = "import sys\nsys.setrecursionlimit(50000)\n"


def whole() -> str:
    """All of it."""
    return "".join(f"from {name} import *\n" for name in STARS) + f"import {', '.join(MODULES)}\n{_LIMIT}"


def prelude_for(program: str) -> str:
    """What of it a program can tell from the whole."""
    words = set(_WORD.findall(program))
    if words & _DYNAMIC or not program.isascii():
        # Python takes names of other scripts for their ASCII equals; they are not looked for.
        return whole()
    needed = [name for name in STARS if name != "builtins" and words & exports(name)]
    covered = words & exports("builtins")
    if any(covered & exports(name) for name in needed):
        needed = [name for name in STARS if name in needed or name == "builtins"]
    stars = "".join(f"from {name} import *\n" for name in needed)
    modules = "".join(f"import {name}\n" for name in MODULES if name in words)
    return stars + modules + _LIMIT


@cache
def exports(name: str) -> frozenset[str]:
    """What `from name import *` binds; the sandbox's Python is this one unless its image says otherwise."""
    module = builtins if name == "builtins" else importlib.import_module(name)
    public = getattr(module, "__all__", None)
    return frozenset(public if public is not None else (n for n in vars(module) if not n.startswith("_")))
