"""The pytest plugin: fixtures of the conformance suites.

It is loaded in every pytest run of an environment that has the harness, so it imports nothing of it
until a fixture is used.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from harness.contract.protocols import BuildContext
    from harness.plugging.plugins import Plugins

TRAINER = ("", "_bench", "_session", "_stages", "_evidence", "_failures", "_capabilities", "_samples")
SUITES = (
    *("benchmark", "command", "curriculum", "engine", "estimator", "gate", "loss", "metric", "model"),
    *(
        "profile",
        "reporter",
        "reward",
        "sandbox",
        "shaper",
        "stateful",
        "task_filter",
        "task_source",
        "verifier",
    ),
    *(f"trainer{part}" for part in TRAINER),
)
pytest.register_assert_rewrite(*(f"harness.testing.{suite}" for suite in SUITES))

Build = Callable[..., Any]


@pytest.fixture(scope="session")
def harness_plugins() -> Plugins:
    """All installed plugins, loaded once."""
    from harness.plugging.plugins import load

    return load()


@pytest.fixture
def build_context(harness_plugins: Plugins, tmp_path: Path) -> BuildContext:
    """What a factory is handed: seed 0, paths that start in `tmp_path`, the registry to build others."""
    from harness.testing.workbench import context

    return context(harness_plugins, tmp_path / "cache", base=tmp_path)


@pytest.fixture
def harness_build(harness_plugins: Plugins, build_context: BuildContext) -> Build:
    """Builds a plugin object by kind, name and options, as a recipe would."""

    def build(kind: str, name: str, **options: Any) -> Any:
        return harness_plugins.registry.find(kind, name).build(options, build_context)

    return build
