"""The versions that this package was written and tested for."""

from __future__ import annotations

from harness_vllm_cpu import versions

#: By distribution.
VERSIONS = {"verl": "0.9.1", **versions.VERSIONS}


def mismatches() -> list[str]:
    """What is installed in another version than the tested one, in words; empty if all fit."""
    return versions.mismatches(VERSIONS)
