"""Digits in a base, however the base is said: `3D_{16}`, `1011_{\\text{two}}`, `463 (base 8)`.

They are marked in the source, before letters become names and products.
"""

from __future__ import annotations

import re
from typing import Final

#: The command that stands for digits and their base after marking.
NUMERAL: Final = "harnessnumeral"
_WORDS: Final = {
    "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10,
    "eleven": 11, "twelve": 12, "sixteen": 16, "binary": 2, "ternary": 3, "octal": 8,
    "decimal": 10, "hexadecimal": 16, "hex": 16,
}  # fmt: skip
_BASE: Final = rf"(?P<base>\d{{1,2}}|{'|'.join(_WORDS)})"
_DIGITS: Final = r"(?P<digits>[0-9A-Za-z]{1,60}(?:\.[0-9A-Za-z]{1,40})?)"
_FONT: Final = r"(?:\\(?:text\w*|math\w+|mbox|operatorname|overline)\s*)"
#: The base of a subscript: in braces and fonts, or one or two digits without.
_BELOW: Final = (
    rf"\{{\s*{_FONT}?\{{?\s*\(?\s*(?:base[\s~]*)?{_BASE}\s*\)?\s*\}}?\s*\}}"
    r"|(?P<bare>\d{1,2})"
)
_SUBSCRIPT: Final = re.compile(
    rf"(?<![\w\\.])(?:{_FONT}?\{{\s*|\()?{_DIGITS}(?:\s*[}})])?\s*_\s*(?:{_BELOW})(?![\w}}])"
)
_SPELLED: Final = re.compile(
    rf"(?<![\w\\.]){_DIGITS}[\s~]*(?:{_FONT}\{{)?\s*\(?\s*(?:in[\s~]+)?base[\s~-]*{_BASE}\s*\)?\s*\}}?",
    re.IGNORECASE,
)
#: As programs write them: `0xFF`, `0b101`, `0o17`.
_PREFIXED: Final = re.compile(
    r"(?<![\w.\\])0(?:x(?P<hex>[0-9A-Fa-f]{1,40})|b(?P<bin>[01]{1,60})|o(?P<oct>[0-7]{1,60}))(?![\w.])"
)
#: What says that letters are digits: the word, or an upright font around several of them.
_SAID: Final = re.compile(r"base|^\\(?:text|math)\w*\s*\{\s*(?=[A-Z]*\d|[A-Z]{2})\w+\s*\}", re.IGNORECASE)
_PREFIXES: Final = {"hex": 16, "bin": 2, "oct": 8}


def _prefixed(match: re.Match[str]) -> str:
    name = match.lastgroup or ""
    return rf"\{NUMERAL}{{{match[name].upper()}}}{{{_PREFIXES[name]}}}"


def numerals(source: str) -> str:
    """The source with digits in a base as one command; names with a subscript stay."""
    if "0" in source and not source.isdigit():
        source = _PREFIXED.sub(_prefixed, source)
    if "_" in source:
        source = _SUBSCRIPT.sub(lambda m: _marked(m, m["base"] or m["bare"]), source)
    if "base" in source or "Base" in source:
        source = _SPELLED.sub(lambda m: _marked(m, m["base"]), source)
    return source


def _marked(match: re.Match[str], base: str) -> str:
    digits, value = match["digits"], int(base) if base.isdigit() else _WORDS[base.lower()]
    letters = [c for c in digits if c.isalpha()]
    if letters and not _is_numeral(digits, value, base.isalpha() or bool(_SAID.search(match.group()))):
        return match.group()
    if match.group().count("{") != match.group().count("}") or match.group().count(
        "("
    ) != match.group().count(")"):
        return match.group()
    return rf"\{NUMERAL}{{{digits.upper()}}}{{{value}}}"


def _is_numeral(digits: str, base: int, said: bool) -> bool:
    """Whether digits with letters are a numeral, rather than a name with its subscript (`AB_{12}`)."""
    if base < 11 or any(c.isalpha() and int(c, 36) >= base for c in digits if c.isascii()):
        return False
    one_case = digits.isupper() or (base == 16 and digits.islower())
    mixed = any(c.isdigit() for c in digits)
    return said or (one_case and (mixed or (base == 16 and len(digits) >= 2)))
