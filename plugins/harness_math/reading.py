"""From the source of an answer to what it may mean.

Most sources have one reading. A comma between groups of three digits may group or separate, and
`0,5` may be a decimal: if the source does not say, each reading is offered, the likelier first.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import Final

from harness_math.bound import check_source
from harness_math.choices import chosen
from harness_math.clocks import clock
from harness_math.dates import day
from harness_math.evaluate import variables
from harness_math.lexer import Token, tokens
from harness_math.matrices import along_axes
from harness_math.nodes import Clock, Node, Opaque, Quantity, Words, walk
from harness_math.parser import parse
from harness_math.qualifiers import unqualified
from harness_math.spelling import DECIMAL_COMMA, clean
from harness_math.units import unit

#: Groups of three digits behind commas, plain or with a thin space, which may be a list.
_AMBIGUOUS: Final = re.compile(r"(?<![\d.])[1-9]\d{0,2}(?:,(?:\\[,;:]\s*)?\d{3})+(?!\d)")
#: A group that no item of a list is written as.
_LEADING_ZERO: Final = re.compile(r",(?:\\[,;:]\s*)?0")
#: A comma with a thin space between digits: it separates where plain commas group.
_SPACED_COMMA: Final = re.compile(r"(?<=\d),\\[,;:]\s*(?=\d)")
#: A value and, behind a space, letters that may be a unit or variables: `5 m`, `300 m/s^2`.
_MEASURED: Final = re.compile(
    r"(.*[\d)}])(?:\s|~|\\[,;: ])+([A-Za-z][A-Za-z]?(?:[/*^]\{?[A-Za-z\d]{1,3}\}?){0,4})", re.DOTALL
)
#: A backslash that escaped the line's end.
_LINE_END: Final = re.compile(r"(?<=[^\\])\\$")
#: Combinations and arrangements as many countries write them: `C_6^2`, `A_5^2`.
_ARRANGED: Final = re.compile(
    r"(?<![A-Za-z\\])(?P<kind>[CAP])_\{?(?P<of>\d{1,3})\}?\^\{?(?P<take>\d{1,3})\}?"
)
#: A period in brackets, as many countries write it: `0.1(6)`.
_PERIOD: Final = re.compile(r"(?<![\w.])(\d+\.\d*)\((\d{1,12})\)(?![\w(])")
#: A quantity in several units without any text marks: `1 h 20 min`.
_DURATION: Final = re.compile(r"(?:\d+(?:\.\d+)?\s*[A-Za-z]+[\s,]*){2,5}")
#: A unit vector of an axis, as only vectors are written: `\\mathbf{i}`, `\\hat{\\jmath}`.
_UNIT_VECTOR: Final = re.compile(
    r"\\(?:mathbf|boldsymbol|bm|pmb|hat|vec|overrightarrow)\s*\{?\s*(?:\\(?:mathbf|boldsymbol|bm)\s*\{\s*)?"
    r"\\?(?:[ij]math|[ijk])\b"
)
_LETTERS: Final = re.compile(r"[A-Za-z]+")
_INTEGER: Final = re.compile(r"[-+]?\d{1,3}(?:,\d{3})+|[-+]?\d+")
_OPTION: Final = re.compile(
    r"\\(?:text\w*|mathrm|mathbf|mbox)\s*\{\s*\(([A-Z])\)[\s~]*\}(?:\s|~|\\[ ,;:!]|\\q?quad)*(\S.*)",
    re.DOTALL,
)
_CHOICE: Final = re.compile(r"\W*([A-Za-z])\W*")


@dataclass(frozen=True, slots=True)
class Reading:
    """An answer as read: its trees (likeliest first) and its tokens."""

    source: str
    nodes: tuple[Node, ...]
    tokens: tuple[tuple[str, str], ...]
    #: The time of day that the answer is, or may be.
    clock: Clock | None = None


@functools.lru_cache(4096)
def read(source: str) -> Reading:
    """All readings of a source.

    Raises:
        CostBound: it is too long or nests too deep.
    """
    check_source(source)
    text = _LINE_END.sub("", clean(source).strip())
    check_source(text)
    date = day(text)
    if date is not None:
        return Reading(text, (date,), (("date", repr(date)),))
    variants = [tokens(text, thousands=True)]
    if any(_LEADING_ZERO.search(match.group()) is None for match in _AMBIGUOUS.finditer(text)):
        variants.append(tokens(text, thousands=False))
        if _SPACED_COMMA.search(text):
            variants.append(tokens(_SPACED_COMMA.sub("; ", text), thousands=True))
    if DECIMAL_COMMA.fullmatch(text.strip("$")) and not _AMBIGUOUS.fullmatch(text.strip("$")):
        variants.append(tokens(text, thousands=False, decimal_comma=True))
    if _ARRANGED.search(text):
        variants.append(tokens(_ARRANGED.sub(_counted, text), thousands=True))
    if _PERIOD.search(text):
        variants.append(tokens(_PERIOD.sub(r"\1\\overline{\2}", text), thousands=True))
    if "\n" in text and "\\begin" not in text:
        variants.append(tokens(text.replace("\n", "; "), thousands=True))
    if _DURATION.fullmatch(text) and all(map(unit, _LETTERS.findall(text))):
        variants = [tokens(_LETTERS.sub(r"\\text{ \g<0> }", text), thousands=True), *variants]
    variants = [_trimmed(variant) for variant in variants]
    nodes = tuple(parse(unqualified(list(variant)), text) for variant in variants)
    measured = _MEASURED.fullmatch(text.strip("$"))
    if measured is not None and unit(measured[2]) is not None:
        value = parse(tokens(measured[1], thousands=True), measured[1])
        if not isinstance(value, Opaque) and not variables(value):
            nodes = (*nodes, Quantity(value, measured[2]))
    if _UNIT_VECTOR.search(text):
        along = (along_axes(nodes[0], size) for size in (2, 3))
        nodes = (*nodes, *(vector for vector in along if vector is not None))
    return Reading(text, nodes, tuple((t.kind, t.value) for t in variants[0]), clock(text))


def _counted(match: re.Match[str]) -> str:
    of, take = int(match["of"]), int(match["take"])
    if take > of:
        return match.group()
    chosen = rf"\binom{{{of}}}{{{take}}}"
    return chosen if match["kind"] == "C" else rf"{chosen}\cdot {take}!"


def understood(reading: Reading) -> bool:
    """Whether the likeliest reading accounts for every token, and holds no text."""
    return not any(isinstance(part, Opaque | Words) for part in walk(reading.nodes[0]))


def _trimmed(source_tokens: list[Token]) -> list[Token]:
    """Without empty groups, which print nothing, and the punctuation of a sentence at the end."""
    kept: list[Token] = []
    for token in source_tokens:
        argument = len(kept) > 1 and (kept[-2].kind in ("cmd", "fn") or kept[-2].value in ("^", "_"))
        if token[:2] == ("op", "}") and kept and kept[-1][:2] == ("op", "{") and not argument:
            kept.pop()
        else:
            kept.append(token)
    while kept and kept[-1].kind == "op" and kept[-1].value in (".", ",", ";", ":"):
        kept.pop()
    return kept


def integer(source: str) -> int | None:
    """The integer that a source is, at a glance; None when it takes reading."""
    source = source.strip()
    if len(source) > 40 or not source.isascii():
        return None
    match = _INTEGER.fullmatch(source)
    return int(source.replace(",", "")) if match else None


def choice(source: str) -> str | None:
    """The letter that a source names as the choice: `B`, `(B)`, `\\text{(B) } 25`; None if it names none,
    or several."""
    letter = chosen(source)
    return letter if letter is not None and letter.isupper() else None


def option(source: str) -> tuple[str, str] | None:
    """A gold that gives an option's letter with its content, `\\text{(B) } 12`: both."""
    match = _OPTION.fullmatch(source.strip().removeprefix("\\displaystyle").strip())
    return (match[1], match[2]) if match is not None else None


def is_choice(source: str) -> bool:
    """Whether a gold answer is the letter of a choice."""
    return len(source) <= 20 and bool(
        _CHOICE.fullmatch(re.sub(r"\\(?:text\w*|mathrm|mbox)\s*|[{}$]", "", source))
    )
