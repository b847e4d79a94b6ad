"""Profiles are data: one TOML file each in `profiles/`, read and checked by the core."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from harness.contract import BuildContext


class PackagedProfile:
    """Protocol `Profile`: what one file says."""

    def __init__(self, name: str, package: str = "harness_benchmarks") -> None:
        self._name, self._package = name, package

    def describe(self) -> Mapping[str, Any]:
        content = files(self._package).joinpath("profiles", f"{self._name}.toml").read_text("utf-8")
        return tomllib.loads(content)


def __getattr__(name: str) -> Any:
    """A factory for each file: `r1_standard`."""
    if name.startswith("_"):
        raise AttributeError(name)

    def factory(options: None, context: BuildContext) -> PackagedProfile:
        return PackagedProfile(name.replace("_", "-"))

    return factory
