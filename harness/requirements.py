"""Which requirements of an extra are not installed, read from a distribution's own metadata."""

from __future__ import annotations

import importlib.metadata
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from packaging.requirements import Requirement


def canonical(distribution: str) -> str:
    """A distribution's name as indexes compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", distribution).lower()


@lru_cache(maxsize=256)
def declared(distribution: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The extras and the requirements that a distribution declares; nothing when it is not installed."""
    try:
        metadata = importlib.metadata.metadata(distribution)
    except importlib.metadata.PackageNotFoundError:
        return (), ()
    return tuple(metadata.get_all("Provides-Extra") or ()), tuple(metadata.get_all("Requires-Dist") or ())


def missing_requirements(distribution: str, extra: str) -> list[str]:
    """Requirements that `distribution[extra]` adds and that are absent or too old, as they were declared."""
    return [text for text, requirement in _added_by(distribution, extra) if not _met(requirement)]


def needs_other_harness(distribution: str, own: str) -> str:
    """The requirement on `own` (our distribution) that the installed version does not meet, or ""."""
    for line in declared(distribution)[1]:
        if _name(line) == own:
            from packaging.requirements import Requirement

            requirement = Requirement(line)
            marker = requirement.marker
            if (marker is None or marker.evaluate({"extra": ""})) and not _met(requirement):
                return f"{requirement.name}{requirement.specifier}"
    return ""


def _added_by(distribution: str, extra: str) -> Iterator[tuple[str, Requirement]]:
    """The requirements that hold with the extra and not without it."""
    from packaging.requirements import Requirement

    for line in declared(distribution)[1]:
        if "extra" not in line:
            continue
        requirement = Requirement(line)
        marker = requirement.marker
        if marker and marker.evaluate({"extra": extra}) and not marker.evaluate({"extra": ""}):
            if canonical(requirement.name) == canonical(distribution):
                # An extra made of other extras: `all = ["staged-harness[torch,gguf]"]`.
                for other in requirement.extras - {extra}:
                    yield from _added_by(distribution, other)
            else:
                yield line.partition(";")[0].strip(), requirement


def extra_that_brings(distribution: str, module: str) -> str:
    """The line that installs the extra whose absent requirement is named like a module, or ""."""
    extras, lines = declared(distribution)
    if not any(_name(line) == canonical(module) for line in lines):
        return ""
    for extra in extras:
        for requirement in missing_requirements(distribution, extra):
            if _name(requirement) == canonical(module):
                return f"{requirement} not installed: pip install '{distribution}[{extra}]'"
    return ""


def _name(requirement: str) -> str:
    """The canonical name at the start of a requirement, without the cost of parsing all of it."""
    return canonical(re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0])


def _met(requirement: Requirement) -> bool:
    version = _version(requirement.name)
    return version is not None and requirement.specifier.contains(version, prereleases=True)


@lru_cache(maxsize=256)
def _version(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None
