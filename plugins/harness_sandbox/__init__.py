"""Places where programs that a model wrote can run, and the pool that all of them share."""

from __future__ import annotations

from harness import hookimpl
from harness.plugging import Register

#: Modules that other plugins may import.
PUBLIC = (
    "assets",
    "bubblewrap",
    "build",
    "canary",
    "channel",
    "exchange",
    "namespaces",
    "options",
    "owner",
    "pool",
    "rootfs",
    "servers",
    "slot",
)


@hookimpl
def register_sandboxes(register: Register) -> None:
    register(
        "auto",
        "harness_sandbox.auto:auto",
        options="harness_sandbox.auto:AutoOptions",
        summary="the best kind that is here: docker, namespaces or bubblewrap; never an unsafe one",
    )
    register(
        "namespaces",
        "harness_sandbox.namespaces:namespaces",
        options="harness_sandbox.options:PoolOptions",
        summary="the docker kind's server without Docker: needs root on Linux",
    )
    register(
        "bubblewrap",
        "harness_sandbox.bubblewrap:bubblewrap",
        options="harness_sandbox.options:PoolOptions",
        summary="a bwrap process for each job",
    )
    register(
        "unsafe-local",
        "harness_sandbox.local:unsafe_local",
        options="harness_sandbox.local:UnsafeOptions",
        summary="no isolation at all: for programs that you wrote yourself",
    )
