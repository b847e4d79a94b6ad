"""What is refused unread, and what the algebra library is never asked.

The reader's own arithmetic prices each operation before it is done (`evaluate`). The library cannot
be stopped from inside, so what it gets must be small by its text alone.
"""

from __future__ import annotations

import re
from typing import Final

from harness_math.nodes import CostBound

#: Longest answer read, in characters.
LENGTH: Final = 4000
#: Longest answer that the library sees, in characters.
LIBRARY_LENGTH: Final = 400
LIBRARY_DEPTH: Final = 8
LIBRARY_DIGITS: Final = 40
#: Largest literal exponent, and most commands, that the library sees.
LIBRARY_EXPONENT: Final = 60
LIBRARY_COMMANDS: Final = 60

#: What the library would carry out: sums, products, integrals, limits, factorials, binomials.
_COSTLY: Final = re.compile(
    r"\\(?:sum|prod|i*int|oint|lim|binom|dbinom|tbinom|choose)\b|!(?!=)|\bfactorial\b"
)
_EXPONENT: Final = re.compile(r"\^\s*\{?\s*-?\s*(\d+)")
_TOWER: Final = re.compile(r"\^\s*(?:\{[^{}]*\^|[^{}\s]\s*\^)|\*\*.*\*\*")


def check_length(text: str) -> None:
    """Raises CostBound for an answer too long to be one."""
    if len(text) > LENGTH:
        raise CostBound(f"{len(text)} characters, more than {LENGTH}")


def check_library(text: str) -> None:
    """Raises CostBound for what the library could spend long on."""
    if len(text) > LIBRARY_LENGTH:
        raise CostBound(f"{len(text)} characters for the algebra library, more than {LIBRARY_LENGTH}")
    depth = deepest = 0
    for symbol in text:
        depth += (symbol in "({[") - (symbol in ")}]")
        deepest = max(deepest, depth)
    if deepest > LIBRARY_DEPTH:
        raise CostBound(f"nested {deepest} deep for the algebra library")
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
