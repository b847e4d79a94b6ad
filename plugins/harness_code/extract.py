"""Finding the program in a completion: the last fenced block, as CommonMark reads fences."""

from __future__ import annotations

import re
from typing import Final

_OPEN: Final = re.compile(r"^ {0,3}(`{3,}|~{3,})[ \t]*([^\s`]*)[^`]*$")


def last_block(text: str) -> str | None:
    """The content of the last complete fenced block; None where there is none.

    A fence is closed by one of the same sign that is at least as long and has nothing after it; one
    that is still open at the end of the text was cut off, and is no answer.
    """
    found: str | None = None
    fence, start = "", 0
    lines = text.splitlines()
    for number, line in enumerate(lines):
        match = _OPEN.match(line)
        if not match:
            continue
        sign, info = match[1], match[2]
        if not fence:
            fence, start = sign, number + 1
        elif sign[0] == fence[0] and len(sign) >= len(fence) and not info:
            found = "\n".join(lines[start:number])
            fence = ""
    return found
