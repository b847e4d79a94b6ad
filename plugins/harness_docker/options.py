"""Options of the Docker kinds."""

from __future__ import annotations

from harness_sandbox.options import PoolOptions


class DockerOptions(PoolOptions):
    """Which image programs run in, and with what. The environment variable DOCKER_HOST names the Docker
    engine."""

    image: str = ""
    """Image to run: one that `harness sandbox build` made, or one that holds the same server. Empty takes
    the image of this version."""
    runtime: str = ""
    """Runtime of the Docker engine, such as `runsc` (gVisor). Empty takes the engine's default."""
    cpus: float = 1.0
    """CPU cores per container."""
