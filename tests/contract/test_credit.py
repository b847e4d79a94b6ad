"""From scores of steps to numbers per token."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.contract import DataError, Span, token_ends, token_values

TEXTS = st.text(st.characters(exclude_characters="\ufffd", codec="utf-8"), max_size=40)
END = 256


def of_bytes(ids: Sequence[int]) -> str:
    """A tokenizer with a token per byte and one for the end."""
    return bytes(i for i in ids if i != END).decode("utf-8", "replace")


@given(TEXTS)
def test_a_token_ends_after_the_characters_that_are_whole(text: str) -> None:
    ids = [*text.encode(), END]
    ends = token_ends(ids, text, of_bytes)
    whole = [len(bytes(ids[: i + 1]).decode("utf-8", "ignore")) for i in range(len(ids) - 1)]
    assert list(ends) == [*whole, len(text)]


@given(st.lists(st.sampled_from(["a", "bc", "def", "."]), max_size=30))
def test_a_space_that_only_later_tokens_have_is_counted(words: list[str]) -> None:
    """As tokenizers of the SentencePiece kind decode: the first token of a text stands without its space."""

    def decode(ids: Sequence[int]) -> str:
        return "".join(f" {words[i]}" for i in ids)[1:]

    text = " ".join(words)
    ends = token_ends(range(len(words)), text, decode)
    assert list(ends) == [len(" ".join(words[: i + 1])) for i in range(len(words))]


def test_a_text_that_was_cut_at_a_stop_string_ends_earlier() -> None:
    assert token_ends([*b"abcd"], "ab", of_bytes) == (1, 2, 2, 2)


def test_a_completion_that_was_cut_within_a_character_has_its_last_place() -> None:
    ids = [*"aé".encode()][:2]
    assert token_ends(ids, of_bytes(ids), of_bytes) == (1, 1)


def test_tokens_that_say_another_text_are_refused() -> None:
    with pytest.raises(DataError, match="do not say its text"):
        token_ends([*b"abc"], "abd", of_bytes)


def test_a_token_has_the_value_of_the_step_that_holds_its_last_character() -> None:
    spans = [Span(0, 4, 1.0), Span(6, 9, 0.0)]
    #     0123 45 678
    ends = [2, 5, 7, 7, 9, 9]
    assert token_values(spans, [1.0, -2.0], ends) == (1.0, 0.0, -2.0, -2.0, -2.0, 0.0)
    assert token_values((), (), ends, 0.5) == (0.5,) * 6
    with pytest.raises(ValueError, match="shorter"):
        token_values(spans, [1.0], ends)


@given(st.lists(st.integers(0, 5), max_size=20), st.lists(st.integers(1, 6), max_size=8))
def test_every_token_is_looked_up_as_if_it_were_alone(lengths: list[int], widths: list[int]) -> None:
    ends = [sum(lengths[: i + 1]) for i in range(len(lengths))]
    edges = [sum(widths[: i + 1]) for i in range(len(widths))]
    spans = [Span(end - width, end, 0.0) for end, width in zip(edges, widths, strict=True)]
    values = [float(i + 1) for i in range(len(spans))]
    for i, value in enumerate(token_values(spans, values, ends)):
        start = ends[i - 1] if i else 0
        place = max(ends[i] - 1, start)
        held = [v for span, v in zip(spans, values, strict=True) if span.start <= place < span.end]
        assert [value] == (held or [0.0])
