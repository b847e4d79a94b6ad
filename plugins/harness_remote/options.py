"""Options of the sandbox kind `remote`."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field

from harness.recipe.fields import Seconds, SecretVariable, Servers
from harness.recipe.stage import Model

#: Environment variable that holds the token, for servers and for clients.
TOKEN: Final = "HARNESS_SANDBOX_TOKEN"


class RemoteOptions(Model):
    """Which hosts, and how long they are waited for."""

    #: Addresses of hosts that run `harness sandbox serve`, such as `https://sandbox-1:8700`.
    servers: Servers
    #: Name of the environment variable that holds the token.
    token_env: SecretVariable = TOKEN
    #: A file that holds it instead.
    token_file: str = ""
    #: Jobs under way at one host; 0: four times as many as it has slots.
    concurrency: Annotated[int, Field(ge=0)] = 0
    #: Requests that may wait here; `run` waits for room when it is full.
    queue: Annotated[int, Field(ge=1)] = 4096
    #: Tries of a job that a host began and did not finish, before it is given back as an infra_error.
    attempts: Annotated[int, Field(ge=1, le=100)] = 4
    #: Longest time from a job's first try to its answer, waiting at busy hosts included.
    deadline: Seconds = 900.0
    #: How long a job waits where no host at all can be reached, before it is given back.
    patience: Seconds = 60.0
    #: A host that says nothing for so long has lost the job. Longer jobs are asked after again and again.
    answer_seconds: Seconds = 15.0
    #: First pause before a host that was lost is tried again; it doubles up to 5 s.
    backoff: Seconds = 0.2
