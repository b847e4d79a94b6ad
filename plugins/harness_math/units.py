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
        "um micrometer micrometre micron": F(1, 10**6),
        "nm nanometer nanometre": F(1, 10**9),
        "in inch inche": F(254, 10000),
        "ft foot feet": F(3048, 10000),
        "yd yard": F(9144, 10000),
        "mi mile": F(1609344, 1000),
    },
    "mass": {
        "g gram": F(1),
        "mg milligram": F(1, 1000),
        "ug microgram": F(1, 10**6),
        "kg kilogram": F(1000),
        "lb pound lbs": F(45359237, 100000),
        "oz ounce": F(45359237, 1600000),
        "ton tonne": F(10**6),
    },
    "time": {
        "s sec second": F(1),
        "ms millisecond": F(1, 1000),
        "us microsecond": F(1, 10**6),
        "min minute": F(60),
        "h hr hour": F(3600),
        "day": F(86400),
        "week": F(604800),
    },
    "months": {"month": F(1), "year yr": F(12), "decade": F(120)},
    "angle": {"degree deg °": F(1), "arcminute arcmin": F(1, 60), "arcsecond arcsec": F(1, 3600)},
    "radian": {"rad radian": F(1)},
    "money": {"$ dollar usd buck": F(1), "cent ¢": F(1, 100)},
    "rupee": {"₹ rupee inr": F(1), "paise paisa": F(1, 100)},
    "euro": {"€ euro": F(1)},
    "pounds": {"£": F(1)},
    "yen": {"¥ yen yuan": F(1)},
    "percent": {"% percent percentage pct": F(1)},
    "volume": {
        "l liter litre": F(1),
        "ml milliliter millilitre cc": F(1, 1000),
        "gallon gal": F(3785411784, 10**9),
        "quart": F(946352946, 10**9),
        "pint": F(473176473, 10**9),
        "cup": F(236588236, 10**9),
    },
    "current": {"a ampere amp": F(1), "ma milliampere milliamp": F(1, 1000)},
    "data": {
        "bit": F(1),
        "byte": F(8),
        "kb kilobyte": F(8 * 10**3),
        "mb megabyte": F(8 * 10**6),
        "gb gigabyte": F(8 * 10**9),
        "tb terabyte": F(8 * 10**12),
    },
    "temperature": {"k kelvin": F(1)},
    "celsius": {"celsius": F(1)},
    "fahrenheit": {"fahrenheit": F(1)},
    "amount": {"mol mole": F(1)},
}
#: Products of the others: unit -> exponents of its dimensions, and its size in their first units.
_PRODUCTS: Final[dict[str, tuple[dict[str, int], Fraction]]] = {
    name: (dimensions, factor * size)
    for dimensions, factor, units in (
        ({"mass": 1, "length": 1, "time": -2}, F(1000), {"n newton": F(1), "kn kilonewton": F(1000)}),
        (
            {"mass": 1, "length": 2, "time": -2},
            F(1000),
            {
                "j joule": F(1), "kj kilojoule": F(1000), "ev electronvolt": F(1602176634, 10**28),
                "kev": F(1602176634, 10**25), "mev": F(1602176634, 10**22), "kwh kilowatt-hour": F(3600000),
                "cal calorie": F(4184, 1000), "kcal kilocalorie": F(4184),
            },
        ),
        (
            {"mass": 1, "length": 2, "time": -3},
            F(1000),
            {"w watt": F(1), "kw kilowatt": F(1000), "megawatt": F(10**6)},
        ),
        (
            {"mass": 1, "length": 2, "time": -3, "current": -1},
            F(1000),
            {"v volt": F(1), "mv millivolt": F(1, 1000), "kv kilovolt": F(1000)},
        ),
        (
            {"mass": 1, "length": 2, "time": -3, "current": -2},
            F(1000),
            {"ohm": F(1), "kohm kiloohm kilohm": F(1000)},
        ),
        (
            {"mass": 1, "length": -1, "time": -2},
            F(1000),
            {
                "pa pascal": F(1), "kpa kilopascal": F(1000), "mpa megapascal": F(10**6),
                "atm atmosphere": F(101325), "mmhg": F(133322387415, 10**9), "torr": F(101325, 760),
            },
        ),
        ({"current": 1, "time": 1}, F(1), {"coulomb": F(1), "uc microcoulomb": F(1, 10**6)}),
        (
            {"mass": -1, "length": -2, "time": 4, "current": 2},
            F(1, 1000),
            {
                "farad": F(1), "uf microfarad": F(1, 10**6), "nf nanofarad": F(1, 10**9),
                "pf picofarad": F(1, 10**12),
            },
        ),
        ({"mass": 1, "time": -2, "current": -1}, F(1000), {"tesla": F(1)}),
        ({"time": -1}, F(1), {"hz hertz": F(1), "khz": F(1000), "mhz": F(10**6), "ghz": F(10**9)}),
        ({"length": 2}, F(1), {"hectare ha": F(10000), "acre": F(40468564224, 10**7)}),
    )
    for group, size in units.items()
    for name in group.split()
}  # fmt: skip
_SPEED: Final = {"mph": "mile/hour", "kph": "km/hour", "kmh": "km/hour", "kmph": "km/hour", "sqft": "foot^2"}
_TEMPERATURE: Final = re.compile(r"(?:degrees?|deg|°)\s*(celsius|fahrenheit)", re.IGNORECASE)
#: One letter is a unit only where the writer says that it is text, or after a space.
_UNITS: Final[dict[str, tuple[dict[str, int], Fraction]]] = {
    name: ({dimension: 1}, factor)
    for dimension, names in _TABLE.items()
    for group, factor in names.items()
    for name in group.split()
} | _PRODUCTS
#: Words that stand for a unit without saying which.
_ANY: Final = frozenset({"unit", "square", "cubic", "sq", "cu"})
_PART: Final = re.compile(r"([A-Za-z$€£¥₹¢°%]+)\s*(?:\^?\s*\{?\s*(-?\d)\s*\}?)?")


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
    text = _TEMPERATURE.sub(r"\1", text)
    dimensions: dict[str, int] = {}
    factor = Fraction(1)
    sign, power = 1, 1
    any_unit = False
    for piece in re.findall(r"/|\bper\b|[A-Za-z$€£¥₹¢°%]+\s*(?:\^?\s*\{?\s*-?\d\s*\}?)?|\S", text):
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
        power, any_unit = 1, True
        for dimension, times in known[0].items():
            dimensions[dimension] = dimensions.get(dimension, 0) + exponent * times
        factor *= known[1] ** exponent
    if not any_unit:
        return None
    volume = dimensions.pop("volume", 0)
    if volume:
        dimensions["length"] = dimensions.get("length", 0) + 3 * volume
        factor *= Fraction(1, 1000) ** volume
    return Unit(tuple(sorted((d, e) for d, e in dimensions.items() if e)), factor)


def known_part(text: str) -> str:
    """The part of a unit's name that is known, without the words behind it: `km` of `km north`, `%` of
    `% increase`; the text as it is where no part of it is known."""
    if " " not in text or unit(text) is not None:
        return text
    words = text.split()
    if words[0].lower() in ("in", "a"):
        return text  # hardly inches, and no ampere
    for end in range(len(words) - 1, 0, -1):
        part = " ".join(words[:end])
        if unit(part) is not None:
            return part
    return text


#: Words that say the opposite of each other.
_OPPOSITES: Final = (
    ("increase increased rise rises up", "decrease decreased reduction fall falls down"),
    ("more gain gained profit", "less fewer loss lost"),
    ("higher above over", "lower below under"),
    ("north northward", "south southward"),
    ("east eastward", "west westward"),
    ("left", "right"),
    ("clockwise", "counterclockwise anticlockwise counter-clockwise anti-clockwise"),
    ("before bc bce", "after ad ce"),
    ("faster", "slower"),
    ("older", "younger"),
    ("heads", "tails"),
    ("boys men males", "girls women females"),
)  # fmt: skip
_SIDES: Final = tuple((frozenset(a.split()), frozenset(b.split())) for a, b in _OPPOSITES)


def contrary(ours: str, theirs: str) -> bool:
    """Whether the words around two values say the opposite: `20% more` and `20% less`."""
    if " " not in ours + theirs and not (ours and theirs):
        return False
    mine, yours = set(ours.lower().split()), set(theirs.lower().split())
    return any((mine & a and yours & b) or (mine & b and yours & a) for a, b in _SIDES)
