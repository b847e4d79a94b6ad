"""Options of the Docker kinds."""

from __future__ import annotations

from harness_sandbox.options import PoolOptions


class DockerOptions(PoolOptions):
    """Where and in what a program runs. The engine is the one that `DOCKER_HOST` names."""

    #: An image that `harness sandbox build` made or that holds the same server; empty: the one of
    #: this version.
    image: str = ""
    #: The engine's runtime, such as `runsc`; empty: its default.
    runtime: str = ""
    #: Cores of one container.
    cpus: float = 1.0
