"""The plugins that make a run's numbers: which version, which code.

A verifier's own hash says what judged, and the weights' hash what was trained; of everything else that
a recipe names, the source of its plugin is hashed here. Reporters and trackers make no numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from pydantic import BaseModel

from harness.contract.records import digest
from harness.planning.plan import Plan
from harness.plugging.loading import full_name
from harness.plugging.local import content_version
from harness.plugging.registry import Registration
from harness.recipe import Use
from harness.recipe.uses import BUILT_IN, inner_uses, uses
from harness.recording.provenance import code_hash

#: Kinds that other facts of a run cover, or that make no numbers.
ELSEWHERE: Final = frozenset({"verifiers", "models", "reporters", "trackers", "launchers"})


def code_in_use(plan: Plan) -> dict[str, dict[str, str]]:
    """Version and code hash of each plugin in use, by the plugin's full name.

    Covered is the source of the packages that its targets lie in, and of those that its module names in
    `HARNESS_CODE`: other packages whose code makes its numbers.
    """
    named = {status.full_name: status.code for status in plan.plugins.statuses}
    versions: dict[str, str] = {}
    hashes: dict[str, set[str]] = {}
    for registration in _in_use(plan):
        plugin = full_name(registration.distribution, registration.plugin)
        versions[plugin] = registration.version
        own = {_hash(registration)} | {code_hash(package) for package in named[plugin]}
        hashes[plugin] = hashes.get(plugin, set()) | own
    return {
        name: {"version": version, "code": digest(sorted(hashes[name]))}
        for name, version in sorted(versions.items())
    }


def _hash(registration: Registration) -> str:
    if registration.path:
        return content_version(Path(registration.path))
    return code_hash(registration.target.partition(":")[0].partition(".")[0])


def _in_use(plan: Plan) -> Iterator[Registration]:
    for kind, use, where in uses(plan.recipe):
        yield from _nested(plan, kind, use, where)


def _nested(plan: Plan, kind: str, use: Use, where: str) -> Iterator[Registration]:
    """A plugin, and those that its options name."""
    if kind in ELSEWHERE or (kind, use.name) in BUILT_IN:
        return
    registration = plan.find(kind, use, where)
    yield registration
    options = registration.validate(use.options, field_path=f"{plan.file.path}, {where}")
    if isinstance(options, BaseModel):
        for inner_kind, inner, place in inner_uses(options, where):
            yield from _nested(plan, inner_kind, inner, place)
