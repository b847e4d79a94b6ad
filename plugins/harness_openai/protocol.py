"""OpenAI's protocol as pure functions: a request's body, and what an answer means.

vLLM is told from other servers by the model card it gives (`owned_by`). It takes more fields: token
ids come back, and every sampling default that it would read from the model's generation config is
set, for a rollout must be drawn as its `Sampling` says.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct, field

from harness.records import Finish, Request
from harness_openai.faults import Broken
from harness_openai.options import OpenAIOptions

Dialect = Literal["openai", "vllm"]
Mode = Literal["chat", "raw"]
PATHS: Final[dict[Mode, str]] = {"chat": "/chat/completions", "raw": "/completions"}

_FINISHES: Final[dict[str, Finish]] = {"stop": "stop", "length": "length", "content_filter": "abort"}


class Card(Struct):
    """A model that a server serves."""

    id: str
    owned_by: str = ""
    max_model_len: int | None = None

    @property
    def dialect(self) -> Dialect:
        return "vllm" if self.owned_by == "vllm" else "openai"


class _Cards(Struct):
    data: list[Card]


class _Token(Struct):
    logprob: float


class _Logprobs(Struct):
    token_logprobs: list[float | None] | None = None
    content: list[_Token] | None = None


class _Message(Struct):
    content: str | None = None
    reasoning: str | None = None
    reasoning_content: str | None = None


class _Choice(Struct):
    finish_reason: str | None
    text: str | None = None
    message: _Message | None = None
    logprobs: _Logprobs | None = None
    token_ids: list[int] | None = None
    prompt_token_ids: list[int] | None = None


class _Usage(Struct):
    completion_tokens: int | None = None


class _Answer(Struct):
    choices: list[_Choice]
    usage: _Usage = field(default_factory=_Usage)
    prompt_token_ids: list[int] | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """A completion as a server gave it; ids are empty where it gives none."""

    text: str
    finish: Finish
    tokens: int
    prompt_ids: tuple[int, ...] = ()
    completion_ids: tuple[int, ...] = ()
    logprobs: tuple[float, ...] | None = None


def body(request: Request, model: str, mode: Mode, dialect: Dialect, options: OpenAIOptions) -> bytes:
    """The JSON of one request, seeded by its key."""
    sampling = request.sampling
    fields: dict[str, Any] = {
        "model": model,
        "seed": request.key.seed,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        options.limit_field: sampling.max_tokens,
        **prompt_fields(request, mode),
    }
    if sampling.stop:
        fields["stop"] = list(sampling.stop)
    if sampling.top_k:
        fields["top_k"] = sampling.top_k
    if dialect == "vllm":
        fields |= {"top_k": sampling.top_k, "min_p": 0.0, "repetition_penalty": 1.0}
        fields |= {"return_token_ids": True, "logprobs": True if mode == "chat" else 0}
        if mode == "raw":
            fields["add_special_tokens"] = False
    return msgspec.json.encode(fields | options.extra)


def prompt_fields(request: Request, mode: Mode) -> dict[str, Any]:
    """The fields that hold the prompt."""
    if mode == "chat":
        return {"messages": [{"role": m.role, "content": m.content} for m in request.prompt]}
    return {"prompt": "\n".join(m.content for m in request.prompt)}


def cards(content: bytes) -> list[Card]:
    """The models that a server lists; raises Broken for rubbish."""
    found: _Cards = _decoded(content, _Cards)
    return found.data


def answer(content: bytes, request: Request) -> Answer:
    """What a server answered.

    A server that parses reasoning out of the text (`reasoning`, `reasoning_content`) has it put back
    between `<think>` tags, the closing one only where thinking ended: verifiers judge what was written.

    Raises:
        Broken: it is no answer to the request.
    """
    found: _Answer = _decoded(content, _Answer)
    if len(found.choices) != 1:
        raise Broken(f"rubbish: {len(found.choices)} choices where 1 was asked for")
    choice = found.choices[0]
    finish = _FINISHES.get(choice.finish_reason or "")
    if finish is None:
        raise Broken(f"rubbish: finish_reason {choice.finish_reason!r}")
    text = _text(choice)
    if text is None:
        raise Broken("rubbish: a choice without text")
    ids = tuple(choice.token_ids or ())
    tokens = len(ids) or found.usage.completion_tokens
    if tokens is None:
        raise Broken("rubbish: neither token ids nor usage.completion_tokens, so its length is unknown")
    if tokens > request.sampling.max_tokens or (text and tokens <= 0):
        raise Broken(f"rubbish: {tokens} tokens of {request.sampling.max_tokens} at most")
    return Answer(
        text=text,
        finish=finish,
        tokens=tokens,
        prompt_ids=tuple(found.prompt_token_ids or choice.prompt_token_ids or ()),
        completion_ids=ids,
        logprobs=_logprobs(choice.logprobs, len(ids)),
    )


def error_text(content: bytes) -> str:
    """The message of an error's body, on one line, bounded."""
    try:
        found = msgspec.json.decode(content)
        found = found.get("error", found) if isinstance(found, dict) else found
        text = str(found.get("message", found) if isinstance(found, dict) else found)
    except (msgspec.DecodeError, UnicodeDecodeError):
        text = content.decode(errors="replace")
    return " ".join(text.split())[:300]


def _decoded(content: bytes, kind: Any) -> Any:
    try:
        return msgspec.json.decode(content, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Broken(f"rubbish: {error}; it starts with {content[:60]!r}") from None


def _text(choice: _Choice) -> str | None:
    if choice.message is None:
        return choice.text
    thought = choice.message.reasoning or choice.message.reasoning_content
    if not thought:
        return choice.message.content or ""
    said = choice.message.content or ""
    ended = bool(said) or choice.finish_reason == "stop"
    return f"<think>{thought}{'</think>' if ended else ''}{said}"


def _logprobs(found: _Logprobs | None, tokens: int) -> tuple[float, ...] | None:
    """One natural-log probability a token, None where the server gave another number of them."""
    if found is None or not tokens:
        return None
    values = found.token_logprobs if found.content is None else [token.logprob for token in found.content]
    known = [value for value in values or () if value is not None and math.isfinite(value)]
    return tuple(known) if len(known) == tokens else None
