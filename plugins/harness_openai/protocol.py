"""OpenAI's protocol as pure functions: a request's body, and what an answer means.

vLLM is recognised by the model card it gives (`owned_by`). It takes more fields: token ids come back,
and every sampling default that it would read from the model's generation config is set, because a
rollout must be drawn as its `Sampling` says.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct, field

from harness.contract import UNPARSABLE, Finish, Request, refuse_prefix
from harness.support import GAVE_UP, content, finish_of, plain
from harness_openai.faults import Broken, Refused
from harness_openai.options import OpenAIOptions

Dialect = Literal["openai", "vllm"]
Mode = Literal["chat", "raw"]
PATHS: Final[dict[Mode, str]] = {"chat": "/chat/completions", "raw": "/completions"}


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


class _Token(Struct, gc=False):
    logprob: float


class _Logprobs(Struct):
    token_logprobs: list[float | None] | None = None
    content: list[_Token] | None = None


class _Message(Struct):
    content: str | list[Any] | None = None
    reasoning: str | None = None
    reasoning_content: str | None = None


class _Choice(Struct):
    finish_reason: str | None = None
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
    """A completion as a server gave it; ids are empty if it gives none."""

    text: str
    finish: Finish
    tokens: int
    prompt_ids: tuple[int, ...] = ()
    completion_ids: tuple[int, ...] = ()
    logprobs: tuple[float, ...] | None = None


def body(request: Request, model: str, mode: Mode, dialect: Dialect, options: OpenAIOptions) -> bytes:
    """The JSON of one request, seeded by its key."""
    refuse_prefix(request, "openai")
    sampling = request.sampling
    fields: dict[str, Any] = {
        "model": model,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        options.limit_field: sampling.max_tokens,
        **prompt_fields(request, mode),
    }
    if options.seed_bits:
        fields["seed"] = request.key.seed % 2**options.seed_bits
    if sampling.stop:
        fields["stop"] = list(sampling.stop)
    if sampling.top_k:
        fields["top_k"] = sampling.top_k
    if dialect == "vllm":
        fields |= {"top_k": sampling.top_k, "min_p": 0.0, "repetition_penalty": 1.0}
        fields["return_token_ids"] = True
        if request.logprobs:
            fields["logprobs"] = True if mode == "chat" else 0
        if mode == "raw":
            fields["add_special_tokens"] = False
    return msgspec.json.encode(fields | options.extra)


def prompt_fields(request: Request, mode: Mode) -> dict[str, Any]:
    """The fields that hold the prompt."""
    if mode == "chat":
        return {"messages": [{"role": m.role, "content": m.content} for m in request.prompt]}
    return {"prompt": "\n".join(m.content for m in request.prompt)}


def cards(given: bytes) -> list[Card]:
    """The models that a server lists; raises Broken for rubbish."""
    page: _Cards = _decoded(given, _Cards)
    return page.data


def answer(given: bytes, request: Request, options: OpenAIOptions) -> Answer:
    """What a server answered.

    A server that parses reasoning out of the text (`reasoning`, `reasoning_content`) has it put back
    between `<think>` tags, the closing one only if thinking ended: verifiers judge what was written.

    Raises:
        Broken: it does not answer the request.
        Refused: it answers, in words that nobody knows: asking again would give them again.
    """
    completion: _Answer = _decoded(given, _Answer)
    if len(completion.choices) != 1:
        raise Broken(f"rubbish: {len(completion.choices)} choices where 1 was asked for")
    choice = completion.choices[0]
    if choice.finish_reason is None:
        raise Broken("rubbish: no finish_reason")
    finish = finish_of(choice.finish_reason, options.finish)
    if finish == "abort" and plain(choice.finish_reason) in GAVE_UP:
        raise Broken(f"the server gave up: finish_reason {choice.finish_reason!r}")
    if finish is None:
        raise Refused(
            f"finish_reason {choice.finish_reason!r} has no known meaning; say it: "
            f'finish = {{ {choice.finish_reason} = "stop" }} or "length"'
        )
    text = _text(choice, finish)
    if text is None:
        raise Broken("rubbish: a choice without text")
    ids = tuple(choice.token_ids or ())
    tokens = len(ids) or completion.usage.completion_tokens
    if tokens is None:
        raise Broken("rubbish: neither token ids nor usage.completion_tokens, so its length is unknown")
    if tokens > request.sampling.max_tokens or (text and tokens <= 0):
        raise Broken(f"rubbish: {tokens} tokens of {request.sampling.max_tokens} at most")
    return Answer(
        text=text,
        finish=finish,
        tokens=tokens,
        prompt_ids=tuple(completion.prompt_token_ids or choice.prompt_token_ids or ()),
        completion_ids=ids,
        logprobs=_logprobs(choice.logprobs, len(ids)),
    )


def error_text(given: bytes) -> str:
    """The message of an error's body, on one line, bounded."""
    try:
        content = msgspec.json.decode(given)
        content = content.get("error", content) if isinstance(content, dict) else content
        text = str(content.get("message", content) if isinstance(content, dict) else content)
    except UNPARSABLE:
        text = given.decode(errors="replace")
    return " ".join(text.split())[:300]


def _decoded(given: bytes, kind: Any) -> Any:
    try:
        return msgspec.json.decode(given, type=kind)
    except UNPARSABLE as error:
        raise Broken(f"rubbish: {error}; it starts with {given[:60]!r}") from None


def _text(choice: _Choice, finish: Finish) -> str | None:
    if choice.message is None:
        return choice.text
    thought = choice.message.reasoning or choice.message.reasoning_content
    said = choice.message.content or ""
    if isinstance(said, list):
        parts = [part for part in said if not thought or not content.is_thought(part)]
        try:
            said = content.joined(parts, ended=finish == "stop")
        except content.UnknownPart as part:
            raise Refused(f"the content holds {part}, which is neither text nor thinking") from None
    if not thought:
        return said
    ended = bool(said) or finish == "stop"
    return f"<think>{thought}{'</think>' if ended else ''}{said}"


def _logprobs(logprobs: _Logprobs | None, tokens: int) -> tuple[float, ...] | None:
    """One natural-log probability per token; None if the server gave another number of them."""
    if logprobs is None or not tokens:
        return None
    values = (
        logprobs.token_logprobs if logprobs.content is None else [token.logprob for token in logprobs.content]
    )
    known = [value for value in values or () if value is not None and math.isfinite(value)]
    return tuple(known) if len(known) == tokens else None
