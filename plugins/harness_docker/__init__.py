"""Programs in Docker containers, kept warm or made anew for each."""

from __future__ import annotations

from harness import hookimpl
from harness.plugging import Register

#: Modules that other plugins may import.
PUBLIC = ("engine", "image")


@hookimpl
def register_sandboxes(register: Register) -> None:
    register(
        "docker",
        "harness_docker.sandbox:warm",
        options="harness_docker.options:DockerOptions",
        extra="docker",
        summary="warm containers with a fork server inside, another uid for each job",
    )
    register(
        "docker-run",
        "harness_docker.sandbox:per_job",
        options="harness_docker.options:DockerOptions",
        extra="docker",
        summary="a container for each job; with runtime = 'runsc', gVisor",
    )
