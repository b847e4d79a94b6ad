"""Options of the engine `openai`."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from harness.recipe.stage import Count, Model

#: Fields of a request that follow from the harness's own.
OWNED: Final = frozenset(
    {"model", "messages", "prompt", "seed", "n", "stream", "temperature", "top_p", "top_k", "stop"}
    | {"max_tokens", "max_completion_tokens", "logprobs", "return_token_ids"}
)

Seconds = Annotated[float, Field(gt=0)]


class OpenAIOptions(Model):
    """Which servers, and how long they are waited for."""

    #: Base URLs as OpenAI's clients take them, such as `http://node-7:8000/v1`.
    servers: Annotated[tuple[str, ...], Field(min_length=1)]
    #: Name under which the servers serve the model; None where each serves a single one.
    model: str | None = None
    #: Name of the environment variable that holds the key.
    api_key_env: str | None = None
    #: `chat` sends messages to `/chat/completions`, `raw` their joined texts to `/completions`.
    prompt: Literal["chat", "raw"] | None = None
    #: Most requests under way at one server.
    concurrency: Count = 64
    #: Longest wait for one answer.
    deadline: Seconds = 1800.0
    #: How often a request is tried before it becomes an `abort`.
    attempts: Count = 4
    #: First pause before a request is repeated; it doubles up to 30 s.
    backoff: Seconds = 0.5
    #: How long all servers may be gone before the engine gives up.
    patience: Seconds = 120.0
    #: Between two looks at a server's health.
    health_every: Seconds = 10.0
    #: A folder whose tokenizer counts prompts, where the servers have no `/tokenize`.
    tokenizer: str | None = None
    #: The field that limits a completion's length; OpenAI's reasoning models want the second.
    limit_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    #: Further fields of each request, such as `{chat_template_kwargs = {enable_thinking = false}}`.
    extra: dict[str, Any] = Field(default_factory=dict)

    @field_validator("servers")
    @classmethod
    def _plain_urls(cls, servers: tuple[str, ...]) -> tuple[str, ...]:
        for place, server in enumerate(servers):
            url = urlsplit(server)
            if url.username or url.password:
                raise ValueError(f"number {place + 1} holds a password; name its variable in api_key_env")
            if url.scheme not in ("http", "https") or not url.netloc or url.query:
                raise ValueError(f"{server!r} is no base URL such as http://node-7:8000/v1")
        plain = tuple(server.rstrip("/") for server in servers)
        if len(set(plain)) < len(plain):
            raise ValueError("a server is named twice")
        return plain

    @field_validator("api_key_env")
    @classmethod
    def _a_name(cls, name: str | None) -> str | None:
        # The value is not repeated: it may be the key itself.
        if name is not None and not re.fullmatch(r"[A-Z_][A-Z0-9_]{0,63}", name):
            raise ValueError("is not the name of an environment variable; never write the key itself")
        return name

    @field_validator("extra")
    @classmethod
    def _not_ours(cls, extra: dict[str, Any]) -> dict[str, Any]:
        if taken := sorted(OWNED & extra.keys()):
            raise ValueError(f"{', '.join(taken)}: set by the harness")
        return extra
