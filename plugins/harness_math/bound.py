"""What is refused unread, and what the algebra library is never asked.

The reader's own arithmetic prices each operation before it is done (`evaluate`). The library cannot
be stopped from inside, so what it gets must be small by its text alone.
"""

from __future__ import annotations

import re
from typing import Final

from harness_math.nodes import CostBound

#: Longest answer read, in characters.
LENGTH: Final = 2000
#: Deepest nesting of brackets read.
DEPTH: Final = 30
#: Longest answer that the library sees, in characters.
LIBRARY_LENGTH: Final = 400
LIBRARY_DEPTH: Final = 8
LIBRARY_DIGITS: Final = 40
#: Largest literal exponent, and most commands, that the library sees.
LIBRARY_EXPONENT: Final = 60
LIBRARY_COMMANDS: Final = 60

#: What the library would carry out: sums, products, integrals, limits, factorials, binomials.
_COSTLY: Final = re.compile(
    r"\\(?:sum|prod|i*int|oint|lim|[dt]?binom|choose)(?![A-Za-z])|!(?!=)|\b(?:factorial|diff|integrate)\b"
)
_BRACKET: Final = re.compile(r"[()\[\]{}]")
_EXPONENT: Final = re.compile(r"\^\s*\{?\s*-?\s*(\d+)")
_TOWER: Final = re.compile(r"\^\s*(?:\{[^{}]*\^|[^{}\s]\s*\^)|\*\*.*\*\*")


def check_source(text: str) -> None:
    """Raises CostBound for an answer too long, or nested too deep, to be one."""
    if len(text) > LENGTH:
        raise CostBound(f"{len(text)} characters, more than {LENGTH}")
    depth = nesting(text)
    if depth > DEPTH:
        raise CostBound(f"brackets nested {depth} deep, more than {DEPTH}")


def nesting(text: str) -> int:
    """How deep brackets nest; those that never close count too."""
    depth = deepest = 0
    for symbol in _BRACKET.findall(text):
        if symbol in "([{":
            depth += 1
            deepest = max(deepest, depth)
        elif depth:
            depth -= 1
    return deepest


def check_library(text: str) -> None:
    """Raises CostBound for what the library could spend long on."""
    if len(text) > LIBRARY_LENGTH:
        raise CostBound(f"{len(text)} characters for the algebra library, more than {LIBRARY_LENGTH}")
    if nesting(text) > LIBRARY_DEPTH:
        raise CostBound(f"nested {nesting(text)} deep for the algebra library")
    if re.search(rf"\d{{{LIBRARY_DIGITS + 1}}}", text):
        raise CostBound(f"more than {LIBRARY_DIGITS} digits for the algebra library")
    costly = _COSTLY.search(text)
    if costly:
        raise CostBound(f"{costly.group()} for the algebra library")
    if _TOWER.search(text):
        raise CostBound("a tower of exponents for the algebra library")
    if any(len(m) > 4 or int(m) > LIBRARY_EXPONENT for m in _EXPONENT.findall(text)):
        raise CostBound(f"an exponent beyond {LIBRARY_EXPONENT} for the algebra library")
    if text.count("\\") > LIBRARY_COMMANDS:
        raise CostBound(f"more than {LIBRARY_COMMANDS} commands for the algebra library")
