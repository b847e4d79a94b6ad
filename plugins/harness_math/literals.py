"""Literals: integers, decimals, powers of ten, decimals that repeat."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Final

from harness_math.nodes import CostBound, Num


def number(text: str) -> Num:
    """A literal: an integer, a decimal, or either with a power of ten (`1.5e-3`)."""
    if "e" in text or "E" in text:
        if len(text.lower().partition("e")[2]) > 5:
            raise CostBound(f"{text}: a power of ten of more than four digits")
        return Num(Fraction(text))
    if "." in text:
        decimals = len(text.partition(".")[2])
        return Num(Fraction(text + "0"), decimals if decimals else None)
    return Num(Fraction(int(text)))


#: The end of a decimal that repeats: some digits twice, or one three times.
_REPEATS: Final = re.compile(r"(\d*?)(?:(\d)\2{2,}|(\d{2,12})\3+)")


def repeating(text: str) -> Num:
    """A decimal that goes on: with the period that its digits show, else as it stands."""
    whole, _, places = text.partition(".")
    match = _REPEATS.fullmatch(places)
    if match is None:
        return number(text)
    return Num(with_period(f"{whole}.{match[1]}", match[2] or match[3]))


def with_period(text: str, period: str) -> Fraction:
    """The value of a decimal whose last digits are repeated for ever."""
    places = len(text.partition(".")[2])
    return Fraction(text + "0") + Fraction(int(period), 10**places * (10 ** len(period) - 1))
