"""Finding the program in a completion: the last fenced block, as CommonMark reads fences.

markdown-it-py reads the blocks, so that a program inside a list item or a quotation loses the item's own
indentation, and characters that only some programs take for line ends stay inside their line.
"""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

_FENCE: Final = re.compile(r"`{3}|~{3}")
_LINE_END: Final = re.compile(r"\r\n?|\n")
_OPEN: Final = re.compile(r"^ {0,3}(`{3,}|~{3,})[ \t]*([^\s`]*)[^`]*$")


def last_block(text: str) -> str | None:
    """The content of the last complete fenced block; None if there is none.

    A fence is closed by one of the same sign that is at least as long and has nothing after it; one
    that is still open at the end of the text was cut off, and is not an answer. If CommonMark sees no
    complete block, because a program in a list item is not indented as the item is, the lines alone decide.
    """
    if not _FENCE.search(text):
        return None
    lines = _LINE_END.split(text)
    blocks = [token for token in _reader().parse(text) if token.type == "fence" and _closed(token)]
    return _content(blocks[-1], lines) if blocks else _by_lines(lines)


@functools.cache
def _reader() -> MarkdownIt:
    """Reads blocks alone, without HTML: `<think>` on a line of its own would swallow the fence below it."""
    from markdown_it import MarkdownIt

    reader = MarkdownIt("commonmark").disable("html_block")
    reader.core.ruler.enableOnly(["normalize", "block"])
    return reader


def _closed(token: Token) -> bool:
    """Whether the lines that a fence takes are those of its content and two more: it has both its ends."""
    start, end = token.map or (0, 0)
    content = token.content
    lines = content.count("\n") + (bool(content) and not content.endswith("\n"))
    return end - start == lines + 2


def _content(token: Token, lines: list[str]) -> str:
    """A block's program. CommonMark takes the fence's own indentation from the lines that have it; where only
    some do, it is the program's and stays."""
    start, end = token.map or (0, 0)
    indent = len(lines[start]) - len(lines[start].lstrip(" "))
    inside = lines[start + 1 : end - 1]
    if (
        token.level == 0
        and indent
        and not all(line.startswith(" " * indent) for line in inside if line.strip())
    ):
        return "\n".join(inside)
    return token.content.removesuffix("\n")


def _by_lines(lines: list[str]) -> str | None:
    """The last complete block of lines that open and close it, whatever they stand in."""
    last: str | None = None
    fence, start = "", 0
    for number, line in enumerate(lines):
        match = _OPEN.match(line)
        if not match:
            continue
        sign, info = match[1], match[2]
        if not fence:
            fence, start = sign, number + 1
        elif sign[0] == fence[0] and len(sign) >= len(fence) and not info:
            last = "\n".join(lines[start:number])
            fence = ""
    return last
