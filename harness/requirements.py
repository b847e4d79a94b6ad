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
    from packaging.requirements import Requirement

    for line in declared(distribution)[1]:
        if canonical(re.split(r"[^A-Za-z0-9._-]", line, maxsplit=1)[0]) == own:
            requirement = Requirement(line)
            if (requirement.marker is None or requirement.marker.evaluate({"extra": ""})) and not _met(
                requirement
            ):
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


def _met(requirement: Requirement) -> bool:
    try:
        version = importlib.metadata.version(requirement.name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return requirement.specifier.contains(version, prereleases=True)
