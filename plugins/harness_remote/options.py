"""Options of the sandbox kind `remote`."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field

from harness.recipe import Model, Seconds, SecretVariable, Servers

#: Environment variable that holds the token, for servers and for clients.
TOKEN: Final = "HARNESS_SANDBOX_TOKEN"


class RemoteOptions(Model):
    """Which hosts run the programs, and how failures are handled."""

    servers: Servers
    """Addresses of hosts that run `harness sandbox serve`, such as `https://sandbox-1:8700`."""
    token_env: SecretVariable = TOKEN
    """Name of the environment variable that holds the hosts' token; never the token itself."""
    token_file: str = ""
    """File that holds the token, instead of the environment variable. Empty reads the variable."""
    concurrency: Annotated[int, Field(ge=0)] = 0
    """Most jobs under way per host. 0 means four per slot of the host."""
    queue: Annotated[int, Field(ge=1)] = 4096
    """Jobs that may wait in this process. While the queue is full, further jobs wait to enter it."""
    attempts: Annotated[int, Field(ge=1, le=100)] = 4
    """How many times a job that a host began and did not finish is tried. After that it is an
    `infra_error`."""
    deadline: Seconds = 900.0
    """Longest time from a job's first try to its answer, in seconds, waiting for busy hosts included. After
    that it is an `infra_error`."""
    patience: Seconds = 60.0
    """Seconds that a job waits while no host at all can be reached. After that it is an `infra_error`."""
    answer_seconds: Seconds = 15.0
    """Seconds without any answer from a host after which its job counts as lost. Longer jobs are no
    problem: the client asks for their state repeatedly."""
    backoff: Seconds = 0.2
    """Seconds before a lost host is first tried again. They double with each try, up to 5 s."""
