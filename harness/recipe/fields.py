"""Types of fields that options of several plugins share."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field


@dataclass(frozen=True, slots=True)
class LabelsMark:
    """Marks an option that names a model whose labels its plugin reads, so that a recipe's check looks for
    them before anything runs. An empty name is none."""

    #: Whether it may be `policy`, the model in training: the policy is then measured before the stage.
    policy: bool = False


#: A time in seconds, above 0.
Seconds = Annotated[float, Field(gt=0)]


def _several(value: object) -> object:
    """One address as a list of one."""
    return (value,) if isinstance(value, str) else value


def _addresses(servers: tuple[str, ...]) -> tuple[str, ...]:
    for place, server in enumerate(servers):
        url = urlsplit(server)
        if url.username or url.password:
            raise ValueError(f"number {place + 1} holds a password; it goes into an environment variable")
        if url.scheme not in ("http", "https") or not url.netloc or url.query:
            raise ValueError(f"{server!r} is no base URL such as http://node-7:8000")
    plain = tuple(server.rstrip("/") for server in servers)
    if len(set(plain)) < len(plain):
        raise ValueError("a server is named twice")
    return plain


def _variable(name: str) -> str:
    # The value is not repeated: it may be the secret itself.
    if not re.fullmatch(r"[A-Z_][A-Z0-9_]{0,63}", name):
        raise ValueError("is not the name of an environment variable; never write the value itself")
    return name


#: Name of a model in `difficulty.labels`.
LabelsOf = Annotated[str, LabelsMark()]
#: The same, or `policy`, in options of curricula, gates and shapers.
LabelsOfAny = Annotated[str, LabelsMark(policy=True)]
#: Base URLs of one or more servers, each once; a single one may be given as text.
Servers = Annotated[
    tuple[str, ...], Field(min_length=1), BeforeValidator(_several), AfterValidator(_addresses)
]
#: Name of an environment variable that holds a secret.
SecretVariable = Annotated[str, AfterValidator(_variable)]
