"""The letter of a choice in what was boxed or stated: one letter, or none where several are named."""

from __future__ import annotations

import re
from typing import Final

_DRESS: Final = re.compile(
    r"\\(?:text\w*|math(?:rm|bf|it|sf|bb|cal)|mbox|operatorname|boldsymbol|bf|rm|left|right|boxed|fbox|displaystyle)(?![A-Za-z])\s*|[{}$*`]"
)
_WIDE: Final = re.compile(r"\\(?:quad|qquad|enspace)(?![A-Za-z])")
_SPACE: Final = re.compile(r"\\(?:quad|qquad|enspace)(?![A-Za-z])|\\[ ,;:!]|~")
_LEAD: Final = re.compile(
    r"\s*(?:(?:the\s+)?(?:correct\s+)?(?:answer|option|choice)(?:\s+is)?\s*[:=]?\s*)?", re.IGNORECASE
)
_MARKED: Final = re.compile(r"[(\[]\s*([A-Za-z])\s*[)\]]")
_BARE: Final = re.compile(r"([A-Za-z])(?![A-Za-z0-9'^_])")
#: What may stand behind a bare letter: nothing, a mark, a remark in brackets, a reason.
_AFTER: Final = re.compile(
    r"\s*(?:$|[).:;!\n]|\s[-–—]+\s|\s\(|,?\s+(?:because|since|as|for|due|given|by|which|where|with|is\s+(?:correct|right|true))\b)",
    re.IGNORECASE,
)
#: Another letter behind the first: joined to it, marked as a choice, or alone.
_ANOTHER: Final = re.compile(
    r"^\W{0,6}(?:or|and|nor|/|,|;|&|\||\\lor|\\land|\\vee|\\wedge)\W{0,6}([A-Z])(?![A-Za-z0-9'^_])"
    r"|^\W*([A-Z])\s*(?:[).:,]|$)"
    r"|(?<![A-Za-z\d\\])\(\s*([A-J])\s*\)"
    r"|(?:\bor\b|\band\b|\n|\\\\)\W{0,6}([A-J])(?![A-Za-z0-9'^_])\s*(?:[).:,]|$)"
)


def chosen(source: str, *, reasons: bool = False) -> str | None:
    """The letter that a text names as its choice: `B`, `(B)`, `\\text{(B) } 25`, `B. seven`.

    Args:
        reasons: a bare letter may be followed by a reason or a remark (`B because ...`).

    Returns:
        None if it names none, or several.
    """
    text = _SPACE.sub(" ", _WIDE.sub(" - ", _DRESS.sub("", source))).strip()
    lead = _LEAD.match(text)
    text = text[lead.end() :] if lead is not None else text
    match = _MARKED.match(text)
    if match is None:
        match = _BARE.match(text)
        if match is None:
            return None
        after = (_AFTER if reasons else _PLAIN).match(text, match.end())
        if after is None:
            return None
    letter = match[1]
    if any(
        letter != (another[1] or another[2] or another[3] or another[4])
        for another in _ANOTHER.finditer(text[match.end() :])
    ):
        return None
    return letter


_PLAIN: Final = re.compile(r"[).:]|\s*$|\s+\((?!\s*[A-Za-z]\s*\))")


def several(source: str) -> bool:
    """Whether a text names more than one letter and nothing else: `A, B`, `A or D`, `(A) (C)`."""
    text = _SPACE.sub(" ", _DRESS.sub("", source))
    letters = re.findall(r"(?<![A-Za-z])[A-J](?![A-Za-z])", text)
    rest = re.sub(
        r"(?<![A-Za-z])[A-J](?![A-Za-z])|\b(?:or|and|either|both|option|choice)s?\b|\\(?:lor|land|vee|wedge)|\W",
        "",
        text,
        flags=re.IGNORECASE,
    )
    return len(set(letters)) > 1 and not rest
