"""From the source of an answer to what it may mean.

Most sources have one reading. A comma between groups of three digits may group or separate, and
`0,5` may be a decimal: where the source does not say, each reading is offered, the likelier first.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import Final

from harness_math.bound import check_source
from harness_math.evaluate import variables
from harness_math.lexer import DECIMAL_COMMA, Token, clean, tokens
from harness_math.nodes import Node, Opaque, Quantity, Words
from harness_math.parser import parse
from harness_math.units import unit

#: Groups of three digits behind plain commas, which may be a list.
_AMBIGUOUS: Final = re.compile(r"(?<![\d.])[1-9]\d{0,2}(?:,\d{3})+(?!\d)")
#: A time of day, with or without its half.
_CLOCK: Final = re.compile(r"(\d{1,2})\s*:\s*(\d{2})(?:\s*([AaPp])\s*\.?\s*[Mm]\.?)?")
#: A value and, behind a space, letters that may be a unit or variables: `5 m`, `300 m/s^2`.
_MEASURED: Final = re.compile(
    r"(.*[\d)}])(?:\s|~|\\[,;: ])+([A-Za-z][A-Za-z]?(?:[/*^]\{?[A-Za-z\d]{1,3}\}?){0,4})", re.DOTALL
)
_INTEGER: Final = re.compile(r"[-+]?\d{1,3}(?:,\d{3})+|[-+]?\d+")
_CHOICE: Final = re.compile(r"\W*([A-Za-z])\W*")
_CHOSEN: Final = re.compile(r"\s*(?:\(([A-Z])\)|([A-Z])(?:[).:]|\s*$))")


@dataclass(frozen=True, slots=True)
class Reading:
    """An answer as read: its trees (likeliest first) and its tokens."""

    source: str
    nodes: tuple[Node, ...]
    tokens: tuple[tuple[str, str], ...]


@functools.lru_cache(4096)
def read(source: str) -> Reading:
    """All readings of a source.

    Raises:
        CostBound: it is too long or nests too deep.
    """
    check_source(source)
    text = clean(source).strip()
    check_source(text)
    variants = [tokens(text, thousands=True)]
    if _AMBIGUOUS.search(text):
        variants.append(tokens(text, thousands=False))
    if DECIMAL_COMMA.fullmatch(text.strip("$")):
        variants.append(tokens(text, thousands=False, decimal_comma=True))
    nodes = tuple(parse(_trimmed(list(variant)), text) for variant in variants)
    measured = _MEASURED.fullmatch(text.strip("$"))
    if measured is not None and unit(measured[2]) is not None:
        value = parse(tokens(measured[1], thousands=True), measured[1])
        if not isinstance(value, Opaque) and not variables(value):
            nodes = (*nodes, Quantity(value, measured[2]))
    clock = _CLOCK.fullmatch(re.sub(r"\\(?:text\w*|mathrm|[,;:! ])|[{}$~]", " ", text).strip())
    if clock is not None:
        nodes = (*nodes, Words(f"{int(clock[1])} {clock[2]} {(clock[3] or '').lower()}".strip()))
    return Reading(text, nodes, tuple((t.kind, t.value) for t in variants[0]))


def _trimmed(found: list[Token]) -> list[Token]:
    """Without the punctuation of a sentence at the end."""
    while found and found[-1].kind == "op" and found[-1].value in (".", ",", ";", ":"):
        found.pop()
    return found


def integer(source: str) -> int | None:
    """The integer that a source is, at a glance; None when it takes reading."""
    source = source.strip()
    if len(source) > 40 or not source.isascii():
        return None
    match = _INTEGER.fullmatch(source)
    return int(source.replace(",", "")) if match else None


def choice(source: str) -> str | None:
    """The letter that a source names as the choice: `B`, `(B)`, `\\text{(B) } 25`."""
    letters = re.sub(r"\\(?:text\w*|mathrm|mbox|mathbf|operatorname)\s*|[{}$]", "", source).strip()
    match = _CHOSEN.match(letters)
    return (match[1] or match[2]) if match else None


def is_choice(source: str) -> bool:
    """Whether a gold answer is the letter of a choice."""
    return len(source) <= 20 and bool(
        _CHOICE.fullmatch(re.sub(r"\\(?:text\w*|mathrm|mbox)\s*|[{}$]", "", source))
    )
