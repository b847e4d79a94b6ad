"""What a judgement rests on, as hashes.

Two scores compare only when the same code, options and library versions gave them. A verifier's hash
covers all three; it is taken from source files, never from what happens to be in memory.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import importlib.util
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from pydantic import BaseModel

from harness.contract.errors import PluginError
from harness.contract.records import digest


def code_hash(code: ModuleType | str) -> str:
    """Hash (16 hex digits) of a module's source file, or of all `.py` files of a package.

    Paths count relative to the package, so that an editable install and a wheel give the same hash;
    line ends count as written.

    Raises:
        PluginError: there is no such module, or it has no source file.
    """
    return _code_hash(code if isinstance(code, str) else code.__name__)


@functools.cache
def _code_hash(name: str) -> str:
    try:
        spec = importlib.util.find_spec(name)
    except (ModuleNotFoundError, ValueError):
        spec = None
    if spec is None:
        raise PluginError(f"cannot hash module {name!r}: it is not installed")
    if spec.submodule_search_locations is not None:
        files = sorted(
            (path.relative_to(root).as_posix(), path)
            for root in map(Path, spec.submodule_search_locations)
            for path in root.rglob("*.py")
        )
    else:
        # By its file name: a one-file plugin is the same in whatever folder it lies.
        source = Path(spec.origin or "")
        files = [(source.name, source)] if source.suffix == ".py" else []
    if not files:
        raise PluginError(
            f"cannot hash module {name!r}: it has no Python source file", where=spec.origin or name
        )
    state = hashlib.blake2b(digest_size=8)
    for relative, path in files:
        content = path.read_bytes()
        state.update(f"{relative}\0{len(content)}\0".encode())
        state.update(content)
    return state.hexdigest()


def verifier_hash(
    *code: ModuleType | str,
    options: BaseModel | Mapping[str, Any] | None = None,
    libraries: Iterable[str] = (),
) -> str:
    """The hash that a verifier puts on its verdicts (16 hex digits).

    Args:
        code: modules or packages that decide, by name or object.
        options: the verifier's options.
        libraries: distributions whose version may change a verdict.

    Raises:
        PluginError: a module or a distribution is not installed.
    """
    plain = options.model_dump(mode="json") if isinstance(options, BaseModel) else dict(options or {})
    return digest([code_hash(part) for part in code], plain, {name: version(name) for name in libraries})


def version(distribution: str) -> str:
    """The installed version of a distribution; raises PluginError if there is none."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        raise PluginError(f"distribution {distribution!r} is not installed") from None
