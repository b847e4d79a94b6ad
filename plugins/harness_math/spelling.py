"""One spelling for an answer before it is cut into tokens: digits, operators, groups of thousands."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from harness_math.numerals import numerals
from harness_math.scripts import other_scripts
from harness_math.units import is_unit

_UNICODE: Final = str.maketrans(
    {
        "−": "-", "–": "-", "—": "-", "‐": "-", "‑": "-", "×": "*", "·": "*", "⋅": "*", "∙": "*", "÷": "/",
        "⁄": "/", "∕": "/", "π": r"\pi ", "∞": r"\infty ", "≤": "<=", "≥": ">=", "⩽": "<=", "⩾": ">=",
        "≠": r"\ne ", "≈": r"\approx ", "∪": r"\cup ", "∩": r"\cap ", "∈": r"\in ", "∅": r"\emptyset ",
        "∖": r"\setminus ", "√": r"\sqrt ", "±": r"\pm ", "∓": r"\mp ", "°": r"^\circ ", "º": r"^\circ ",
        "ℝ": r"\R ", "θ": r"\theta ", "α": r"\alpha ", "β": r"\beta ", "λ": r"\lambda ", "φ": r"\phi ",
        "′": "'", "’": "'", "，": ",", "；": ";", "（": "(", "）": ")", "\u00a0": " ", "\u202f": " ",
        "⟨": r"\langle ", "⟩": r"\rangle ",
        "⌊": r"\lfloor ", "⌋": r"\rfloor ", "⌈": r"\lceil ", "⌉": r"\rceil ",
        "∠": r"\angle ", "→": r"\to ", "≡": r"\equiv ",
    }
)  # fmt: skip
_SUPERSCRIPT: Final = re.compile("[⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺ⁿ]+")
_SUBSCRIPT: Final = re.compile("[₀₁₂₃₄₅₆₇₈₉]+")
_SUPERS: Final = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺ⁿ", "0123456789-+n")
_SUBS: Final = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")

#: What separates groups of three digits: a comma (with a thin space), `{,}` or a thin space.
_GROUP: Final = r"(?:,(?:\\[!,;:]\s*)?|\s?\{,\s?\}|\\[,;:]\s*|\\!\s*)"
THOUSANDS: Final = re.compile(rf"(?<![\d.])[1-9]\d{{0,2}}(?:{_GROUP}\d{{3}})+(?!\d)")
_SPACED_THOUSANDS: Final = re.compile(r"(?<![\d.])[1-9]\d{0,2}(?: \d{3})+(?![\d/])")
#: One large brace before equations, which closes nowhere.
_OPEN_BRACE: Final = re.compile(r"\\left\s*\\\{\s*(\\begin\{(\w+)\}.*\\end\{\2\})\s*\\right\s*\.", re.DOTALL)
#: A fraction of units: `\\frac{\\text{m}}{\\text{s}^2}`.
_UNIT_FRACTION: Final = re.compile(
    r"\\[dt]?frac\s*\{\\(?:text|mathrm)\{([^{}]{1,20})\}(\^\d)?\}\s*\{\\(?:text|mathrm)\{([^{}]{1,20})\}(\^\d)?\}"
)
#: Six choose two as schools write it: `{}_6C_2`, `^6C_2`.
_CHOSEN: Final = re.compile(
    r"(?<![\w}])(?:\{\})?[_^]\{?(\d{1,4})\}?\s*\{?(?:\\mathrm\s*\{)?C\}?\}?\s*_\{?(\d{1,4})\}?"
)
#: The letter that people write for a union of intervals.
_UNION_LETTER: Final = re.compile(r"(?<=[)\]])\s*U\s*(?=[(\[])")
#: The only comma of a source, between digits and outside of brackets: perhaps a decimal comma.
DECIMAL_COMMA: Final = re.compile(
    r"[^,()\[\]]*\d(?:,|\{,\})\d+[^,\d()\[\]][^,()\[\]]*|[^,()\[\]]*\d(?:,|\{,\})\d+"
)
#: Commands whose backslash and first letter some program took for an escape: a form feed and `rac`.
_ESCAPED: Final = re.compile(
    r"\\?[\x07\x08\x0b\x0c]|\t(?=ext|imes|frac|heta|an\b|riangle)|\r(?=ight|angle|ho\b)|\n(?=eq\b|eg\b)"
)
_LETTERS: Final = {"\x07": "a", "\x08": "b", "\x0b": "v", "\x0c": "f", "\t": "t", "\r": "r", "\n": "n"}
#: A source that was escaped once too often.
_DOUBLED: Final = re.compile(r"(?<!\\)\\\\begin\b")
#: A row of a matrix that ends in one backslash, the other having been taken for an escape.
_LOST_ROW: Final = re.compile(r"(?<!\\)\\(?=[\s\d-])")


#: A sign that braces keep from being spaced: `{-}7`.
_BRACED_SIGN: Final = re.compile(r"(?<![\^_\w}])\{\s*([-+=])\s*\}")
#: A fraction in one character behind the number that it belongs to.
_VULGAR: Final = re.compile(r"(?<=\d)(?=[¼-¾⅐-⅞])")
#: Groups of three digits between points, where nothing else can be meant: `1.000.000`, `1.234,5`.
_POINTED: Final = re.compile(
    r"(?<![\d.,])([1-9]\d{0,2}(?:\.\d{3})+),(\d+)(?![\d.,])|(?<![\d.,])[1-9]\d{0,2}(?:\.\d{3}){2,}(?![\d.,])"
)
#: Three dots. Behind an integer at the very end they are punctuation.
_ELLIPSIS: Final = re.compile(r"(\.\d+)\.{3}(?!\.)|(?<![.\d])\.{3}(?!\.)(?=\s*\S)")
#: A letter for the sign of multiplication before a power of ten: `3 x 10^8`.
_CROSS: Final = re.compile(r"(?<=[\d.])\s*[xX]\s*(?=10\s*(?:\^|\*\*))")
#: A letter for the sign of degrees.
_RAISED_O: Final = re.compile(
    r"(?<=\d)\s*\^\s*(?:\{\s*(?:\\(?:text|mathrm)\s*)?\{?\s*o\s*\}?\s*\}|o(?![A-Za-z]))"
)
#: The letter of an exponent in an upright font: `8.26\\text{e}8`.
_EXPONENT: Final = re.compile(
    r"(?<=\d)\s*\\(?:text|mathrm|rm)\s*\{\s*[eE]\s*\}\s*(?:(?=[+-]?\d)|\{\s*([+-]?\d+)\s*\})"
)
#: The positive whole numbers.
_POSITIVE: Final = re.compile(
    r"\\mathbb\s*\{?\s*Z\s*\}?\s*(?:\^\s*\{?\s*\+\s*\}?|_\s*\{?\s*(?:\+|>\s*0)\s*\}?)"
)
_DOLLARS: Final = re.compile(r"\bUS\s*\\?\$|\\text\{\s*US\s*\\?\$\s*\}")
_RUPEES: Final = re.compile(r"(?:\\text\{\s*Rs\.?\s*\}|\bRs\.?)\s*(?=\d)")
_MICRO: Final = re.compile(
    r"(?<=[\d}])(?:\s|~|\\[ ,;:])*\\mu\s*\\(?:text|mathrm|rm)\s*\{\s*([msgFLACVWJ])\s*\}"
)
_MICRO_SIGN: Final = re.compile(r"(?<=\d)\s*[µμ]([msgFLACVWJ])(?![A-Za-z])")
#: The letter for ohms, at the end of an answer.
_OHM: Final = re.compile(
    r"(?<=[\d}])(?:\s|~|\\[ ,;:]|\\(?:text|mathrm)\s*\{\s*(?=k))*(k?)\}?\s*\\(?:Omega|ohm)\s*$"
)
_PER_CENT: Final = re.compile(r"\bper\s+cent\b", re.IGNORECASE)


def clean(source: str) -> str:
    """Unicode's many forms of digits, operators and letters, as ASCII and LaTeX."""
    if _ESCAPED.search(source):
        source = _ESCAPED.sub(lambda m: "\\" + _LETTERS[m.group().lstrip("\\")], source)
    if source.isascii():
        return source
    source = _VULGAR.sub(" ", source.encode("utf-8", "replace").decode())
    source = _MICRO_SIGN.sub(r"\\text{ u\1 }", source)
    source = other_scripts(source)
    source = _SUPERSCRIPT.sub(lambda m: "^{" + m.group().translate(_SUPERS) + "}", source)
    source = _SUBSCRIPT.sub(lambda m: "_{" + m.group().translate(_SUBS) + "}", source)
    source = unicodedata.normalize("NFKC", source.translate(_UNICODE)).translate(_UNICODE)
    if source.isascii():
        return source
    return "".join(str(unicodedata.decimal(c, c)) if not c.isascii() else c for c in source)


def joined(source: str, *, thousands: bool, decimal_comma: bool) -> str:
    """A cleaned source with one spelling of numbers, unions, bases and rows.

    Args:
        source: what `clean` returned.
        thousands: whether groups of three digits are joined.
        decimal_comma: whether the comma of a whole source like `0,5` is read as a point.
    """
    source = _one_spelling(source)
    if decimal_comma:
        source = re.sub(r",|\{,\}", ".", source, count=1)
    if thousands:
        source = THOUSANDS.sub(lambda m: re.sub(r"\D", "", m.group()), source)
    source = _SPACED_THOUSANDS.sub(lambda m: m.group().replace(" ", ""), source)
    source = _UNION_LETTER.sub(r"\\cup ", source)
    if "\\begin" in source:
        source = _OPEN_BRACE.sub(r"\1", source)
    source = _UNIT_FRACTION.sub(_as_unit, source)
    source = numerals(_CHOSEN.sub(r"\\binom{\1}{\2}", source))
    if _DOUBLED.search(source):
        source = source.replace("\\\\", "\\")
    if "matrix}" in source and "\\\\" not in source:
        source = _LOST_ROW.sub(r"\\\\\\\\ ", source)
    if "\\\\" in source and "\\begin" not in source:
        source = re.sub(r"\\\\(?=[A-Za-z{}%$,;!()\[\]])", r"\\", source)
    return source


def _one_spelling(source: str) -> str:
    """Signs, dots, crosses and degrees that are written in several ways."""
    if "{" in source:
        source = _EXPONENT.sub(lambda m: "e" + (m[1] or ""), _BRACED_SIGN.sub(r"\1", source))
    if "mathbb" in source:
        source = _POSITIVE.sub(r"\\mathbb{Z+}", source)
    if "." in source:
        source = _POINTED.sub(_as_pointed, source)
        source = _ELLIPSIS.sub(r"\1\\ldots ", source)
    if "^" in source:
        source = _RAISED_O.sub(r"^\\circ ", source)
    if "u" in source or "s" in source or "S" in source:
        source = _RUPEES.sub("₹", _DOLLARS.sub(r"\\$", source))
        source = _MICRO.sub(r"\\text{ u\1 }", source)
    source = _OHM.sub(r"\\text{ \1ohm }", source)
    source = _PER_CENT.sub("percent", source)
    return _CROSS.sub(r"\\times ", source) if "10" in source else source


def _as_pointed(match: re.Match[str]) -> str:
    return f"{match[1].replace('.', '')}.{match[2]}" if match[1] else match.group().replace(".", "")


def _as_unit(match: re.Match[str]) -> str:
    text = f"{match[1]}{match[2] or ''}/{match[3]}{match[4] or ''}"
    return rf"\text{{ {text} }}" if is_unit(text) else match.group()
