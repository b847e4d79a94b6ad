"""From scores of steps, in characters, to numbers per token: what a shaper of process rewards needs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from harness.contract.errors import DataError
from harness.contract.records import Span

#: What a tokenizer writes for bytes that are no whole character yet.
UNFINISHED: Final = "\ufffd"


def token_ends(ids: Sequence[int], text: str, decode: Callable[[Sequence[int]], str]) -> tuple[int, ...]:
    """Where each token of a completion ends in its text, in characters; shape (tokens,).

    Tokens are decoded a few at a time, each with those before it, since many tokenizers write the first
    token of a text without its space. A token that ends within a character ends before it, and so does a
    special token, which the text does not have.

    Args:
        ids: `rollout.completion_ids`.
        text: `rollout.text`; it may be shorter than what the tokens say, as after a stop string.
        decode: token ids to text, without special tokens: of a tokenizer of transformers
            `lambda ids: tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)`.

    Raises:
        DataError: the tokens do not say the text, so that no place in it can be told.
    """
    ends: list[int] = []
    said: list[str] = []
    length = first = done = 0
    for i in range(len(ids)):
        before, now = decode(ids[first:done]), decode(ids[first : i + 1])
        if len(now) > len(before) and not now.endswith(UNFINISHED):
            said.append(now[len(before) :])
            length += len(said[-1])
            first, done = done, i + 1
        ends.append(min(length, len(text)))
    made = "".join(said)
    if not made.startswith(text.rstrip(UNFINISHED)) and not text.startswith(made):
        raise DataError(
            "the token ids of a completion do not say its text", where="token_ends",
            hint="decode with the tokenizer that generated it, without special tokens and without clean-up",
        )  # fmt: skip
    return tuple(ends)


def token_values(
    spans: Sequence[Span], values: Sequence[float], ends: Sequence[int], outside: float = 0.0
) -> tuple[float, ...]:
    """A number per token from one per step; shape (tokens,).

    A token belongs to the step that holds its last character; one without a character of its own, to the
    step where it stands.

    Args:
        spans: `verdict.spans`: steps in the text's order, without overlap.
        values: one per span, such as its score or what is left of it after normalising.
        ends: where each token ends, as `token_ends` gives it.
        outside: of tokens in no step.

    Raises:
        ValueError: there are not as many values as spans.
    """
    pairs = list(zip(spans, values, strict=True))
    out: list[float] = []
    at = start = 0
    for end in ends:
        last = max(end - 1, start)
        while at < len(pairs) and pairs[at][0].end <= last:
            at += 1
        inside = at < len(pairs) and pairs[at][0].start <= last
        out.append(pairs[at][1] if inside else outside)
        start = end
    return tuple(out)
