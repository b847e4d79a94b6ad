"""Contents in parts: what is text, what is thought, and what nobody knows how to read."""

from __future__ import annotations

from typing import Any

import pytest

from harness.support import content


def test_what_was_thought_stands_between_tags_and_what_was_said_after_them() -> None:
    parts = [
        {"type": "thinking", "thinking": [{"type": "text", "text": "2+2"}]},
        {"type": "text", "text": "4"},
    ]
    assert content.joined(parts) == "<think>2+2</think>4"


@pytest.mark.parametrize(
    ("part", "said"),
    [
        ({"type": ["text"], "text": "4"}, "'list'"),
        ({"type": {}, "text": "4"}, "'dict'"),
        ({"text": "4"}, "'NoneType'"),
        (7, "'int'"),
        ({"type": "text", "text": [4]}, "'int'"),
        ({"type": "text", "text": [["4"]]}, "'list'"),
    ],
)
def test_a_part_of_no_known_type_is_refused_by_name(part: Any, said: str) -> None:
    with pytest.raises(content.UnknownPart, match=f"a part of type {said}"):
        content.joined([part])
    assert not content.is_thought(part)


def test_an_inner_part_of_an_odd_type_gives_its_text() -> None:
    assert content.joined([{"type": "text", "text": [{"type": [], "text": "4"}]}]) == "4"
