"""Whether a response was cut off, for answers whose tool did not record it."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

_ENDS: Final = re.compile(r"""[.!?…。][*_)\]"'`”’]*$|\\[\])]$|\$$|```$|\}$|</\w+>$""")
_PAIRS: Final = (
    (r"\\\[", r"\\\]"),
    (r"\\\(", r"\\\)"),
    (r"\\begin\{", r"\\end\{"),
    (r"(?<!\\)\{", r"(?<!\\)\}"),
)
#: Texts shorter than this are answers, whatever they end with.
SHORT: Final = 60
#: How much of the last line is looked at, in characters.
LAST: Final = 2000
_PROVED: Final = re.compile(r"\\(?:blacksquare|square|qed)$|\bQ\.?E\.?D$")
#: Lines from the end in which a box makes an item of a list an end.
NEAR: Final = 4
#: A token that ends a turn, written out: `<|im_end|>`, `</s>`, `<end_of_turn>`.
_TOKEN: Final = re.compile(r"<[|｜]?/?[\w▁]+[|｜]?>$")
#: A number, a letter or a formula as an answer, with a unit of up to two words.
_VALUE: Final = (
    r"[*_`$\\({\[\s]*(?:[-+−]?[$€£]?[\d.,:/^]*\d|[A-Za-z]\b|\\\w+)\S{0,40}"
    r"(?:\s+[^\W\d]{1,12}[*_.]*){0,2}[*_`$)\]\s]*$"
)
_STATED: Final = re.compile(
    r"^\W*(?:\w+[\s,]+){0,12}?(?:(?:answer|result|total|solution|choice|option)s?\b"
    r"|r[ée]ponse\b|antwort\b|respuesta\b|risposta\b|ответ\b|[\u3400-\u9fff]{0,8}答案)"
    r"[^\n:：=]{0,40}?(?:\bis\b|\bare\b|:|：|=|是|为)\s*(?:(?:therefore|thus|then|simply|just|exactly)\s+)?"
    + _VALUE, re.IGNORECASE,
)  # fmt: skip
#: The end of a sentence inside a line.
_SENTENCE: Final = re.compile(r"(?<=[.!?。])\s+(?=\S)")
_HEADED: Final = re.compile(
    r"^(?:#{1,6}|A:|Answer\b:?|ANSWER\b:?|[*_]{1,3}|=|∴|⇒|→|\\boxed)\s*" + _VALUE,
)
_BOX: Final = re.compile(r"\\boxed\s*\{.*\}\S{0,3}(?:\s+\S{1,12}){0,2}$")
_BARE: Final = re.compile(_VALUE)
_ITEM: Final = re.compile(r"^\s*(?:[-*+•]|\d{1,3}[.)])\s+\S")


def looks_cut(text: str) -> bool:
    """Whether a response ends inside a formula or in the middle of a sentence.

    A stated answer needs no full stop (`Answer: 204`, `#### 204`, `**204**`), nor does an item of a list
    behind a box; a symbol, a box with a unit, or a token that ends a turn is an end.
    """
    end = text.rstrip()
    if len(end) < SHORT:
        return False
    if end.count("```") % 2 or any(len(re.findall(a, end)) > len(re.findall(b, end)) for a, b in _PAIRS):
        return True
    return not (_ENDS.search(end) or _ends_otherwise(end))


def _ends_otherwise(end: str) -> bool:
    lines = [line for line in end.split("\n") if line.strip()]
    last = lines[-1].strip()[-LAST:]
    if _TOKEN.search(last) or unicodedata.category(last[-1]) in ("So", "Sk", "Cf", "Mn"):
        return True
    if last[-1] in "∎□■▪◻◼" or _PROVED.search(last):
        return True
    if last.count("**") % 2:
        return False
    said = _SENTENCE.split(last)[-1]
    if any(pattern.search(last) for pattern in (_BOX, _STATED, _HEADED)) or _STATED.search(said):
        return True
    if _ITEM.match(last):
        return any("\\boxed{" in line for line in lines[-NEAR:])
    return bool(_BARE.match(last)) and not _numbers_an_item(last, lines)


def _numbers_an_item(last: str, lines: list[str]) -> bool:
    """Whether a line that is a number alone begins the next item of a numbered list."""
    number = last.rstrip(".)")
    if not number.isdecimal() or len(number) > 3:
        return False
    before = re.compile(rf"\s*{int(number) - 1}[.)]\s")
    return any(before.match(line) for line in lines)
