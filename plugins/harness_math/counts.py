"""Numbers in words: `twenty-five`, `three hundred and five`, `two thirds`, `half`."""

from __future__ import annotations

import functools
import re
from fractions import Fraction
from typing import Final

_SMALL: Final = """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen
    fifteen sixteen seventeen eighteen nineteen"""
_ONES: Final = {word: number for number, word in enumerate(_SMALL.split())}
_ROUND: Final = "twenty thirty forty fifty sixty seventy eighty ninety"
_TENS: Final = {word: 10 * number for number, word in enumerate(_ROUND.split(), 2)}
_SCALES: Final = {"thousand": 10**3, "million": 10**6, "billion": 10**9}
_PARTS: Final = {
    word: number
    for number, names in enumerate(
        ["half halve", "third", "quarter fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth"], 2
    )
    for word in names.split()
}
_PART: Final = re.compile(rf"(?:(a|an|{'|'.join(_ONES)})[ -])?({'|'.join(_PARTS)})s?")
#: What words below a hundred may follow.
_BEFORE_ONES: Final = ("start", "scale", "hundred")
#: Most words of a number.
_LONGEST: Final = 12


@functools.lru_cache(1024)
def count(text: str) -> Fraction | None:
    """The number that words in small letters say, whole or a part of one; None for other words."""
    part = _PART.fullmatch(text)
    if part is not None and (part[1] or part[2] == "half"):
        return Fraction(_ONES.get(part[1] or "a", 1), _PARTS[part[2]])
    words = text.replace("-", " ").split()
    return _whole(words) if 0 < len(words) <= _LONGEST else None


def _whole(words: list[str]) -> Fraction | None:
    total = group = 0
    last = "start"
    for i, word in enumerate(words):
        if word == "and" and last == "hundred" and i + 1 < len(words):
            continue
        if word in _ONES and (last in _BEFORE_ONES or (last == "tens" and 0 < _ONES[word] < 10)):
            group, last = group + _ONES[word], "ones"
        elif word in _TENS and last in _BEFORE_ONES:
            group, last = group + _TENS[word], "tens"
        elif word == "hundred" and (last == "ones" or (last == "start" and i == 0 and len(words) > 1)):
            group, last = (group or 1) * 100, "hundred"
        elif word in _SCALES and last in ("ones", "tens", "hundred"):
            total, group, last = total + group * _SCALES[word], 0, "scale"
        else:
            return None
    return Fraction(total + group)
