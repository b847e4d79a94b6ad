"""Options of the engine `openai`."""

from __future__ import annotations

from typing import Any, Final, Literal

from pydantic import Field, field_validator

from harness.recipe.fields import Seconds, SecretVariable, Servers
from harness.recipe.stage import Count, Model

#: Fields of a request that follow from the harness's own.
OWNED: Final = frozenset(
    {"model", "messages", "prompt", "seed", "n", "stream", "temperature", "top_p", "top_k", "stop"}
    | {"max_tokens", "max_completion_tokens", "logprobs", "return_token_ids"}
)


class OpenAIOptions(Model):
    """Which servers, and how long they are waited for."""

    #: Base URLs as OpenAI's clients take them, such as `http://node-7:8000/v1`.
    servers: Servers
    #: Name under which the servers serve the model; None where each serves a single one.
    model: str | None = None
    #: Name of the environment variable that holds the key.
    api_key_env: SecretVariable | None = None
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

    @field_validator("extra")
    @classmethod
    def _not_ours(cls, extra: dict[str, Any]) -> dict[str, Any]:
        if taken := sorted(OWNED & extra.keys()):
            raise ValueError(f"{', '.join(taken)}: set by the harness")
        return extra
