"""A message's content in parts, as servers of reasoning models give it: what was thought, what was said."""

from __future__ import annotations

from typing import Any, Final

THOUGHT: Final = frozenset({"thinking", "reasoning", "reasoning_text", "thought"})
SAID: Final = frozenset({"text", "output_text"})
#: Parts that hold no text of the completion.
SILENT: Final = frozenset({"redacted_thinking", "signature", "reference", "citation"})


class UnknownPart(ValueError):
    """A part whose text nobody knows how to read; says which."""


def is_parts(value: Any) -> bool:
    """Whether this is a content in parts: a list of objects that say their type."""
    return isinstance(value, list) and bool(value) and all(isinstance(p, dict) and "type" in p for p in value)


def is_thought(part: Any) -> bool:
    return _kind(part) in THOUGHT


def joined(parts: list[Any], *, ended: bool = True) -> str:
    """The completion's text, with what was thought between `<think>` tags.

    Args:
        ended: whether the completion ended by itself; one that was cut while it thought has no closing tag.

    Raises:
        UnknownPart: a part is neither text nor thought.
    """
    text, open_thought = "", False
    for part in parts:
        kind = _kind(part)
        if isinstance(part, str) or kind in SAID:
            said = part if isinstance(part, str) else _inner(part)
            text += ("</think>" if open_thought and said else "") + said
            open_thought = open_thought and not said
        elif is_thought(part):
            text += ("" if open_thought else "<think>") + _inner(part)
            open_thought = True
        elif kind not in SILENT:
            raise UnknownPart(f"a part of type {kind!r}")
    return text + ("</think>" if open_thought and ended else "")


def _kind(part: Any) -> str:
    """A part's type; of one that says none, what it is instead."""
    kind = part.get("type") if isinstance(part, dict) else part
    return kind if isinstance(part, dict) and isinstance(kind, str) else type(kind).__name__


def _inner(part: dict[str, Any]) -> str:
    """A part's text: under its type's name, or `text`, or in parts again.

    Raises:
        UnknownPart: one of those is neither text nor an object.
    """
    for name in (_kind(part), "text", "thinking", "reasoning", "summary", "content"):
        value = part.get(name)
        if isinstance(value, str):
            return value
        if isinstance(value, list):
            if odd := [item for item in value if not isinstance(item, str | dict)]:
                raise UnknownPart(f"a part of type {type(odd[0]).__name__!r}")
            return "".join(
                item if isinstance(item, str) else _inner({"type": "text"} | item) for item in value
            )
    return ""
