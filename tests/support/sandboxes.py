"""Sandboxes of every kind that the machine has, for tests; a kind that is missing is a loud skip."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from harness_sandbox import assets

from harness.contract.programs import Job, Raw
from harness.contract.protocols import BuildContext
from harness.plugging.plugins import load
from harness.testing.workbench import context

#: Kinds with walls; those of Docker need an engine.
CONTAINED = (
    pytest.param("docker", marks=pytest.mark.docker),
    pytest.param("docker-run", marks=pytest.mark.docker),
    "namespaces",
    "bubblewrap",
)
#: Those whose servers outlive a job.
WARM = (pytest.param("docker", marks=pytest.mark.docker), "namespaces")

CANARIES = assets.folder("canaries")


@cache
def build_context() -> BuildContext:
    """One cache for all tests of a machine: the file tree takes seconds to make, and never changes."""
    return context(load(), Path(tempfile.gettempdir()) / "harness-tests-cache")


def unavailable(kind: str) -> str:
    """Why this machine lacks the kind; empty when it does not."""
    from harness_sandbox import bubblewrap, namespaces

    if kind == "namespaces":
        return namespaces.unavailable()
    if kind == "bubblewrap":
        return bubblewrap.unavailable()
    return ""


@contextmanager
def sandbox(kind: str, **options: Any) -> Iterator[Any]:
    """A pool of this kind with one slot of 512 MiB, unless told otherwise; skips where there is none."""
    why = unavailable(kind)
    if why:
        pytest.skip(f"SANDBOX {kind}: {why}")
    if kind.startswith("docker"):
        from harness_docker import engine, image

        client = engine.connect()
        image.build(client, build_context().cache, language=options.get("language", "python"))
        client.close()
    made = build_context().build("sandboxes", kind, {"slots": 1, "memory_mb": 512, **options})
    try:
        yield made
    finally:
        made.close()


def contained() -> str:
    """The first kind that needs no engine, for tests of what is common to all kinds."""
    for kind in ("namespaces", "bubblewrap"):
        if not unavailable(kind):
            return kind
    pytest.skip(f"SANDBOX namespaces: {unavailable('namespaces')}; bubblewrap: {unavailable('bubblewrap')}")


def run(pool: Any, code: str, **how: Any) -> Raw:
    """Run a program with small limits."""
    limits: Mapping[str, Any] = {"memory_mb": 256, "cpu_seconds": 5, "wall_seconds": 20}
    return asyncio.run(pool.run(Job(code, **{**limits, **how})))
