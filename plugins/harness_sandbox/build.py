"""Building a sandbox by name outside a run: for the command line, benches and tests."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.plugins import Plugins, load
from harness.protocols import BuildContext
from harness.recipe import Resources


def cache_folder() -> Path:
    """A folder that outlives runs (`$XDG_CACHE_HOME/harness`)."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "harness"


def build_sandbox(kind: str, options: Mapping[str, Any] | None = None, plugins: Plugins | None = None) -> Any:
    """A sandbox of this kind, as a run would build it.

    Raises:
        UnknownName: no plugin offers the kind.
        RecipeError: an option does not fit.
        SandboxError: this host does not have the kind.
    """
    registry = (plugins or load()).registry

    def build(kind: str, name: str, options: Mapping[str, Any]) -> Any:
        return registry.find(kind, name).build(options, context)

    context = BuildContext(seed=0, cache=cache_folder(), data=None, build=build, resources=Resources())
    return build("sandboxes", kind, options or {})
