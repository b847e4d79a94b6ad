"""Building a sandbox by name outside a run: for the command line, benches and tests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.contract import BuildContext
from harness.plugging import Plugins, load
from harness.recipe import Resources
from harness.support import cache_folder


def build_sandbox(kind: str, options: Mapping[str, Any] | None = None, plugins: Plugins | None = None) -> Any:
    """A sandbox of this kind, as a run would build it.

    Raises:
        UnknownName: no plugin offers the kind.
        RecipeError: an option does not fit.
        SandboxError: this host does not have the kind.
    """
    registry = (plugins or load()).registry

    def build(kind: str, name: str, options: Mapping[str, Any], *, model: str = "") -> Any:
        return registry.find(kind, name).build(options, context.of_model(model))

    context = BuildContext(seed=0, cache=cache_folder(), data=None, build=build, resources=Resources())
    return build("sandboxes", kind, options or {})
