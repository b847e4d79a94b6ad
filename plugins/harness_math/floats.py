"""Golds that a program wrote as binary floating point: `0.7999999999999999` is 0.8 after arithmetic.

A double of sixteen or seventeen digits is no decimal that anybody chose; it stands for the simple number
that it is nearest to. The same holds for a value that was kept in 32 bits.
"""

from __future__ import annotations

import math
import re
import struct
from fractions import Fraction
from typing import Final

_LONG: Final = re.compile(r"-?\d*\.\d+(?:[eE][-+]?\d+)?|-?\d+(?:\.\d+)?[eE][-+]?\d+")
#: Significant digits from which a decimal in a text is taken for a written double.
DIGITS: Final = 15
#: Largest denominator of a fraction that a double stands for.
DENOMINATOR: Final = 1000
#: Significant digits of a value in 32 bits that was written as a double.
_SINGLE: Final = range(6, 10)


def sources(value: float) -> tuple[str, ...]:
    """What a double may stand for, the likeliest first: itself, fifteen digits of it, the shortest decimal
    with the same 32 bits, a fraction of small numbers."""
    written = repr(value)
    if len(_digits(written)) < DIGITS or not math.isfinite(value):
        return _unique(written, _short_single(value))
    return _unique(written, format(value, ".15g"), _short_single(value), _fraction(value))


def text_sources(text: str) -> tuple[str, ...]:
    """The same for a gold that is text, where its digits show that a program wrote them."""
    plain = text.strip()
    if _LONG.fullmatch(plain) is None or not DIGITS <= len(_digits(plain)) <= 17:
        return (text,)
    return _unique(text, *sources(float(plain)))


def _digits(written: str) -> str:
    return re.sub(r"\D", "", re.split("[eE]", written)[0]).lstrip("0")


def _short_single(value: float) -> str:
    try:
        packed = struct.pack("f", value)
    except OverflowError:
        return ""
    if struct.unpack("f", packed)[0] != value or len(_digits(repr(value))) < 10:
        return ""
    return next((t for t in (f"{value:.{n}g}" for n in _SINGLE) if struct.pack("f", float(t)) == packed), "")


def _fraction(value: float) -> str:
    near = Fraction(value).limit_denominator(DENOMINATOR)
    return str(near) if abs(float(near) - value) <= 2 * math.ulp(value) else ""


def _unique(*texts: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text for text in texts if text))
