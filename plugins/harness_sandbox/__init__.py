"""Places where programs that a model wrote can run, and the pool that all of them share."""

from __future__ import annotations

from harness.hookspecs import hookimpl
from harness.plugins import Register


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


@hookimpl
def register_commands(register: Register) -> None:
    register(
        "sandbox", "harness_sandbox.cli:command", summary="Build, check and measure sandboxes for programs."
    )
