"""The one-file plugin beside a recipe: `harness_plugin.py`, with the same hooks as any other.

It is imported by its path, never by `sys.path`, so that two recipes' files do not meet. Its
registrations carry that path: a worker process that is handed one imports the same file.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Final

from harness.contract.errors import PluginError

#: Its name; targets in it are written `harness_plugin:Factory`.
LOCAL_FILE: Final = "harness_plugin.py"


def local_file(recipe: Path) -> Path | None:
    """The one-file plugin beside a recipe, if there is one."""
    path = recipe.resolve().parent / LOCAL_FILE
    return path if path.is_file() else None


def content_version(path: Path) -> str:
    """Stands in for a version: the start of the content's SHA-256."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]


def import_file(path: Path) -> ModuleType:
    """Import a file once per process and content, under a module name of its own.

    Raises:
        PluginError: it is not there. Whatever the file itself raises comes through.
    """
    path = path.resolve()
    if not path.is_file():
        raise PluginError("the one-file plugin is gone", where=str(path))
    place = hashlib.sha256(f"{path}\n{content_version(path)}".encode()).hexdigest()[:8]
    name = f"{path.stem}_{place}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise PluginError("not a Python file", where=str(path))
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def target_module(name: str, file: str) -> ModuleType:
    """The module of a target `name:attribute`: the one-file plugin's own when it is named like that
    file (or as the file calls itself, `__name__`), else the installed module."""
    if file and (name == Path(file).stem or name.startswith(f"{Path(file).stem}_")):
        return import_file(Path(file))
    return importlib.import_module(name)
