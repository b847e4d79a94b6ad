"""Units of measure: what they measure, and how large they are.

A unit is a product of powers of base dimensions and an exact factor. Words that are no known unit
("marbles") say nothing about size and are ignored in comparisons.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

F = Fraction

#: dimension -> {unit: factor to the dimension's first unit}
_TABLE: Final[dict[str, dict[str, Fraction]]] = {
    "length": {
        "m meter metre": F(1),
        "mm millimeter millimetre": F(1, 1000),
        "cm centimeter centimetre": F(1, 100),
        "dm decimeter decimetre": F(1, 10),
        "km kilometer kilometre": F(1000),
        "nm nanometer nanometre": F(1, 10**9),
        "in inch inche": F(254, 10000),
        "ft foot feet": F(3048, 10000),
        "yd yard": F(9144, 10000),
        "mi mile": F(1609344, 1000),
    },
    "mass": {
        "g gram": F(1),
        "mg milligram": F(1, 1000),
        "kg kilogram": F(1000),
        "lb pound lbs": F(45359237, 100000),
        "oz ounce": F(45359237, 1600000),
        "ton tonne": F(10**6),
    },
    "time": {
        "s sec second": F(1),
        "ms millisecond": F(1, 1000),
        "min minute": F(60),
        "h hr hour": F(3600),
        "day": F(86400),
        "week": F(604800),
    },
    "months": {"month": F(1), "year yr": F(12)},
    "angle": {"degree deg °": F(1)},
    "radian": {"rad radian": F(1)},
    "money": {"$ dollar usd buck": F(1), "cent ¢": F(1, 100)},
    "euro": {"€ euro": F(1)},
    "pounds": {"£": F(1)},
    "yen": {"¥ yen yuan": F(1)},
    "percent": {"% percent percentage pct": F(1)},
    "volume": {
        "l liter litre": F(1),
        "ml milliliter millilitre": F(1, 1000),
        "gallon gal": F(3785411784, 10**9),
        "quart": F(946352946, 10**9),
        "pint": F(473176473, 10**9),
        "cup": F(236588236, 10**9),
    },
    "force": {"n newton": F(1), "kn kilonewton": F(1000)},
    "energy": {"j joule": F(1), "kj kilojoule": F(1000), "ev": F(1602176634, 10**28)},
    "power": {"w watt": F(1), "kw kilowatt": F(1000)},
    "voltage": {"v volt": F(1), "mv millivolt": F(1, 1000)},
    "current": {"a ampere amp": F(1)},
    "pressure": {"pa pascal": F(1), "kpa": F(1000), "atm": F(101325)},
    "frequency": {"hz hertz": F(1)},
    "temperature": {"k kelvin": F(1)},
    "celsius": {"celsius": F(1)},
    "fahrenheit": {"fahrenheit": F(1)},
    "amount": {"mol mole": F(1)},
}
_SPEED: Final = {"mph": "mile/hour", "kph": "km/hour", "kmh": "km/hour", "sqft": "foot^2"}
#: One letter is a unit only where the writer says that it is text, or after a space.
_UNITS: Final[dict[str, tuple[str, Fraction]]] = {
    name: (dimension, factor)
    for dimension, names in _TABLE.items()
    for group, factor in names.items()
    for name in group.split()
}
#: Words that stand for a unit without saying which.
_ANY: Final = frozenset({"unit", "square", "cubic", "sq", "cu"})
_PART: Final = re.compile(r"([A-Za-z$€£¥¢°%]+)\s*(?:\^?\s*\{?\s*(-?\d)\s*\}?)?")


@dataclass(frozen=True, slots=True)
class Unit:
    """Exponents of dimensions, sorted, and the size in their first units."""

    dimensions: tuple[tuple[str, int], ...]
    factor: Fraction


def is_unit(word: str) -> bool:
    """Whether a word, or a product of words, names units only."""
    return unit(word) is not None or _singular(word.lower()) in _ANY


def _singular(word: str) -> str:
    if word in _UNITS or word in _ANY:
        return word
    return word[:-1] if len(word) > 2 and word.endswith("s") else word


@functools.lru_cache(4096)
def unit(text: str) -> Unit | None:
    """The unit that a text names (`cm^2`, `km/h`, `square meters`, `miles per hour`); None if any part
    of it is not known."""
    text = text.strip().strip(".")
    text = _SPEED.get(text.lower(), text)
    dimensions: dict[str, int] = {}
    factor = Fraction(1)
    sign, power = 1, 1
    found = False
    for piece in re.findall(r"/|\bper\b|[A-Za-z$€£¥¢°%]+\s*(?:\^?\s*\{?\s*-?\d\s*\}?)?|\S", text):
        lowered = piece.lower()
        if piece == "/" or lowered == "per":
            sign = -1
            continue
        if piece in "*·()":
            continue
        if lowered in ("square", "sq", "cubic", "cu"):
            power = 2 if lowered.startswith("sq") else 3
            continue
        match = _PART.fullmatch(piece)
        if match is None:
            return None
        known = _UNITS.get(_singular(match[1].lower()))
        if known is None:
            return None
        exponent = sign * power * int(match[2] or 1)
        power, found = 1, True
        dimensions[known[0]] = dimensions.get(known[0], 0) + exponent
        factor *= known[1] ** exponent
    if not found:
        return None
    volume = dimensions.pop("volume", 0)
    if volume:
        dimensions["length"] = dimensions.get("length", 0) + 3 * volume
        factor *= Fraction(1, 1000) ** volume
    return Unit(tuple(sorted((d, e) for d, e in dimensions.items() if e)), factor)
