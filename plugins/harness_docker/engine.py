"""The engine: a client that respects DOCKER_HOST, and errors that say what to do."""

from __future__ import annotations

import os
from typing import Any

import docker
import requests
from docker.errors import DockerException
from harness_sandbox.pool import SandboxError

#: Everything that can go wrong between us and the engine.
ENGINE_ERRORS = (DockerException, requests.RequestException, OSError)


def connect(timeout: float = 60.0) -> Any:
    """A client of the engine.

    Raises:
        SandboxError: nothing answers there.
    """
    try:
        client = docker.from_env(timeout=timeout)
        client.ping()
    except ENGINE_ERRORS as error:
        raise SandboxError(
            f"no Docker engine answers: {error}",
            where=f"DOCKER_HOST={os.environ.get('DOCKER_HOST', '(the local socket)')}",
            hint="scripts/start-docker.sh starts one; or choose another sandbox kind",
        ) from error
    return client
