"""Reading integers out of a completion, without parsing mathematics.

A text is cut into numbers first and only then read, so that an integer is never taken out of a longer
number: `3.5`, `3/4`, `\\frac{3}{4}`, `1e5` and `10^3` are numbers of their own and not integers. Every
pattern is linear in the text and no digits are converted, so that any text costs little.
"""

from __future__ import annotations

import re
from typing import Final

#: Thousands separators: `1,234`, `1{,}234`, `1\,234`, `1,\!234`.
_SEPARATOR: Final = r"(?:,\\!|\{,\}|,|\\,)"
_WHOLE: Final = rf"(?:[0-9]{{1,3}}(?:{_SEPARATOR}[0-9]{{3}})+(?![0-9])|[0-9]+)"
_MINUS: Final = "-−"

_NUMBER: Final = re.compile(
    rf"""
    \\[dt]?frac\s?\{{[^{{}}]{{0,200}}\}}\s?\{{[^{{}}]{{0,200}}\}}
    | (?: (?<![\w)\]}}%.])[{_MINUS}]\s?(?:\\?\$)? | (?<!\w)(?<![0-9]\.) )
      (?: {_WHOLE}(?:\.[0-9]+)? | (?<![0-9.])\.[0-9]+ )
      (?: [eE][+-]?[0-9]+(?!\w) | \s?\^\s?\{{?{_MINUS[0]}?[0-9]+\}}? | /[0-9]+ )?
    """,
    re.VERBOSE,
)
_INTEGER: Final = re.compile(
    rf"\$?(?P<sign>[{_MINUS}+]?)\s?(?:\\?\$)?(?P<whole>{_WHOLE})(?:\.0*)?\s*(?:\\?[%$])*", re.ASCII
)
_NOT_DIGITS: Final = re.compile(r"[^0-9]")


def as_integer(text: str) -> str | None:
    """The integer that the whole text is, as plain digits with a sign: `-$1,234.00` is `-1234`.

    None for anything else. Signs, separators, currency and percent marks and a zero fraction drop out.
    """
    match = _INTEGER.fullmatch(text.strip())
    if match is None:
        return None
    digits = _NOT_DIGITS.sub("", match["whole"]).lstrip("0") or "0"
    return "-" + digits if match["sign"] in tuple(_MINUS) and digits != "0" else digits


def last_number(text: str, *, cut: bool = False) -> str | None:
    """The last number of the text as it is written, integer or not; None when there is none.

    `cut`: the text was cut off, so a number that reaches its end may go on and does not count.
    """
    number = None
    for match in _NUMBER.finditer(text):
        if not (cut and text[match.end() :] in ("", ",", ".", "/", "\\")):
            number = match[0]
    return number


def last_boxed(text: str) -> str | None:
    """Content of the last `\\boxed{...}` or `\\fbox{...}` whose braces close; None when there is none."""
    end = len(text)
    while (start := max(text.rfind("\\boxed", 0, end), text.rfind("\\fbox", 0, end))) >= 0:
        brace = re.compile(r"\\(?:boxed|fbox)\s*\{").match(text, start)
        content = _braced(text, brace.end(), end) if brace else None
        if content is not None:
            return content
        end = start
    return None


def _braced(text: str, start: int, end: int) -> str | None:
    """What stands between a brace opened before `start` and its closing one, which lies before `end`."""
    depth, position = 1, start
    while position < end:
        character = text[position]
        if character == "\\":
            position += 1
        elif character in "{}":
            depth += 1 if character == "{" else -1
            if depth == 0:
                return text[start:position]
        position += 1
    return None
