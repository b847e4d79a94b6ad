"""Which requirements of an extra are not installed, read from a distribution's own metadata."""

from __future__ import annotations

import importlib.metadata
import os
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from harness.contract.errors import PluginError

if TYPE_CHECKING:
    from packaging.requirements import Requirement


def canonical(distribution: str) -> str:
    """A distribution's name as indexes compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", distribution).lower()


@lru_cache(maxsize=256)
def declared(distribution: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The extras and the requirements that a distribution declares; nothing if it is not installed.

    Raises:
        PluginError: its metadata are no text.
    """
    try:
        with _readable(distribution):
            metadata = importlib.metadata.metadata(distribution)
    except importlib.metadata.PackageNotFoundError:
        return (), ()
    return tuple(metadata.get_all("Provides-Extra") or ()), tuple(metadata.get_all("Requires-Dist") or ())


_BOUND = r"(?:>=|==|<)\s*\d+(?:\.\d+)*"
#: What most extras are made of: a name, bounds that are plain releases, and the extra as the only condition.
_PLAIN: Final = re.compile(
    r"(?P<name>[\w.-]+?)(?:\[[^]]*])?\s*\(?"
    rf"(?P<bounds>{_BOUND}(?:\s*,\s*{_BOUND})*)?\)?"
    r"\s*;\s*extra\s*==\s*(?P<quote>['\"])(?P<extra>[\w.-]+)(?P=quote)\s*"
)
_RELEASE: Final = re.compile(r"(\d+(?:\.\d+)*)(?:\+.*)?")


def missing_requirements(distribution: str, extra: str) -> list[str]:
    """Requirements that `distribution[extra]` adds and that are absent or too old, as they were declared.

    Starting the command asks this for every plugin, so plain requirements on plain releases are read
    here; parsing by `packaging` costs as much as the rest of the start and is left to the others.

    Raises:
        PluginError: the distribution declares what is no requirement.
    """
    with _readable(distribution):
        return _missing(distribution, extra)


@contextmanager
def _readable(distribution: str) -> Iterator[None]:
    """Say whose declaration cannot be read; all faults that `packaging` finds are a ValueError."""
    try:
        yield
    except ValueError as error:
        raise PluginError(
            f"its requirements cannot be read: {' '.join(str(error).split())}", where=distribution,
            hint=f"install another release of {distribution}",
        ) from None  # fmt: skip


def _missing(distribution: str, extra: str) -> list[str]:
    missing = []
    rest = []
    for line in declared(distribution)[1]:
        plain = _PLAIN.fullmatch(line)
        if plain is None or canonical(plain["name"]) == canonical(distribution):
            rest.append(line)
        elif canonical(plain["extra"]) == canonical(extra):
            version = _version(plain["name"])
            release = version and _RELEASE.fullmatch(version)
            if release and _within(_numbers(release[1]), plain["bounds"] or ""):
                continue
            if version is None or release:
                missing.append(line.partition(";")[0].strip())
            else:
                rest.append(line)
    if any("extra" in line for line in rest):
        missing += [
            text for text, requirement in _added_by(distribution, extra, rest) if not _met(requirement)
        ]
    return missing


def _numbers(release: str) -> tuple[int, ...]:
    """For comparing releases: 2.0 and 2.0.0 are the same."""
    parts = [int(part) for part in release.split(".")]
    while parts and parts[-1] == 0:
        parts.pop()
    return tuple(parts)


def _within(release: tuple[int, ...], bounds: str) -> bool:
    """Whether a release fits bounds such as `>=1.2,<2`."""
    for bound in filter(None, map(str.strip, bounds.split(","))):
        other = _numbers(bound.lstrip("<>= "))
        fits = {">": release >= other, "<": release < other, "=": release == other}
        if not fits[bound[0]]:
            return False
    return True


def needs_other_harness(distribution: str, own: str) -> str:
    """The requirement on `own` (our distribution) that the installed version does not meet, or ""; raises
    PluginError as `missing_requirements`."""
    for line in declared(distribution)[1]:
        if _name(line) == own:
            from packaging.requirements import Requirement

            with _readable(distribution):
                requirement = Requirement(line)
                marker = requirement.marker
                if (marker is None or marker.evaluate({"extra": ""})) and not _met(requirement):
                    return f"{requirement.name}{requirement.specifier}"
    return ""


def _added_by(
    distribution: str, extra: str, lines: Iterable[str], above: frozenset[str] = frozenset()
) -> Iterator[tuple[str, Requirement]]:
    """Those requirements that hold with the extra and not without it. `above`: extras that brought this one,
    which it may name again."""
    from packaging.requirements import Requirement

    for line in lines:
        if "extra" not in line:
            continue
        requirement = Requirement(line)
        marker = requirement.marker
        if marker and marker.evaluate({"extra": extra}) and not marker.evaluate({"extra": ""}):
            if canonical(requirement.name) == canonical(distribution):
                # An extra made of other extras: `all = ["staged-harness[torch,gguf]"]`.
                for other in sorted(requirement.extras - above - {extra}):
                    yield from _added_by(distribution, other, declared(distribution)[1], above | {extra})
            else:
                yield line.partition(";")[0].strip(), requirement


def extra_that_brings(distribution: str, module: str) -> str:
    """The line that installs the extra whose absent requirement is named like a module, or ""; raises
    PluginError as `missing_requirements`."""
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


def _version(distribution: str) -> str | None:
    """The installed version; None if it is not installed."""
    version = _installed(tuple(sys.path)).get(canonical(distribution))
    if version is not None:
        return version
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


@lru_cache(maxsize=8)
def _installed(path: tuple[str, ...]) -> dict[str, str]:
    """Versions by canonical name, read off the folders `name-version.dist-info` (the binary
    distribution format names them so); reading every METADATA would take milliseconds each."""
    versions: dict[str, str] = {}
    for folder in path:
        try:
            names = os.listdir(folder or ".")
        except OSError:
            continue
        for name in names:
            stem, dash, version = name.removesuffix(".dist-info").partition("-")
            if dash and name.endswith(".dist-info"):
                versions.setdefault(canonical(stem), version)
    return versions
