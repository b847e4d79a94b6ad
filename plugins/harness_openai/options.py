"""Options of the engine `openai`."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import Field, field_validator

from harness.contract import Finish
from harness.recipe import Count, Model, Seconds, SecretVariable, Servers

#: Fields of a request that follow from the harness's own.
OWNED: Final = frozenset(
    {"model", "messages", "prompt", "seed", "n", "stream", "temperature", "top_p", "top_k", "stop"}
    | {"max_tokens", "max_completion_tokens", "logprobs", "return_token_ids"}
)


class OpenAIOptions(Model):
    """Which servers are asked, and how failures are handled."""

    servers: Servers
    """Base URLs of OpenAI-compatible servers, such as `http://node-7:8000/v1`. Each request goes to the
    server with the fewest requests under way for its pace."""
    model: str | None = None
    """Name under which the servers serve the model. If not set, every server must serve exactly one."""
    api_key_env: SecretVariable | None = None
    """Name of the environment variable that holds the API key; never the key itself. If not set, no key is
    sent."""
    prompt: Literal["chat", "raw"] | None = None
    """`chat` sends messages to `/chat/completions`, `raw` sends their joined texts to `/completions`. If
    not set, `model.prompt` of the recipe decides."""
    concurrency: Count = 64
    """Most requests under way per server."""
    deadline: Seconds = 1800.0
    """Longest wait for one answer, in seconds."""
    attempts: Count = 4
    """How many times a request is tried. After that its rollout is an `abort`, which is judged
    `infra_error`."""
    backoff: Seconds = 0.5
    """Pause before the first repetition of a request, in seconds. It doubles with each repetition, up to 30
    s."""
    patience: Seconds = 120.0
    """Seconds for which all servers may be unusable. After that the engine ends with an error."""
    health_every: Seconds = 10.0
    """Seconds between two health checks of a server."""
    tokenizer: str | None = None
    """Folder of a tokenizer that counts the tokens of prompts. If not set, the servers' `/tokenize` counts
    them, and without that the tokenizer of the recipe's model."""
    limit_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    """Name of the request's field that limits the length of a completion. OpenAI's reasoning models want
    `max_completion_tokens`."""
    seed_bits: Annotated[int, Field(ge=0, le=63)] = 63
    """Bits that seeds have: 31 for servers that refuse larger ones, 53 behind gateways that read numbers as
    doubles, 0 to send none (then a repeated run draws other numbers)."""
    finish: dict[str, Finish] = Field(default_factory=dict)
    """What a server's own finish reasons mean, such as `{eot = "stop"}`. The usual ones are known."""
    extra: dict[str, Any] = Field(default_factory=dict)
    """Further fields of each request, such as `{chat_template_kwargs = {enable_thinking = false}}`. Fields
    that the harness sets are refused."""

    @field_validator("extra")
    @classmethod
    def _not_ours(cls, extra: dict[str, Any]) -> dict[str, Any]:
        if taken := sorted(OWNED & extra.keys()):
            raise ValueError(f"{', '.join(taken)}: set by the harness")
        return extra
