"""Options of the sandbox kind `remote`."""

from __future__ import annotations

import re
from typing import Annotated, Final
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator

#: Environment variable that holds the token, for servers and for clients.
TOKEN: Final = "HARNESS_SANDBOX_TOKEN"
Seconds = Annotated[float, Field(gt=0)]


class RemoteOptions(BaseModel):
    """Which hosts, and how long they are waited for."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    #: Addresses of hosts that run `harness sandbox serve`, such as `https://sandbox-1:8700`.
    servers: Annotated[tuple[str, ...], Field(min_length=1)]
    #: Name of the environment variable that holds the token.
    token_env: str = TOKEN
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

    @field_validator("servers")
    @classmethod
    def _plain_urls(cls, servers: tuple[str, ...]) -> tuple[str, ...]:
        for place, server in enumerate(servers):
            url = urlsplit(server)
            if url.username or url.password:
                raise ValueError(f"number {place + 1} holds a password; the token goes into token_env")
            if url.scheme not in ("http", "https") or not url.netloc or url.query:
                raise ValueError(f"{server!r} is no address such as https://sandbox-1:8700")
        plain = tuple(server.rstrip("/") for server in servers)
        if len(set(plain)) < len(plain):
            raise ValueError("a server is named twice")
        return plain

    @field_validator("token_env")
    @classmethod
    def _a_name(cls, name: str) -> str:
        # The value is not repeated: it may be the token itself.
        if not re.fullmatch(r"[A-Z_][A-Z0-9_]{0,63}", name):
            raise ValueError("is not the name of an environment variable; never write the token itself")
        return name
