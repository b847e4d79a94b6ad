"""The prose around answers: formulas and prices, sentences, clauses and the remarks behind them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

#: Longest response that may as a whole be an answer, in characters.
WHOLE: Final = 300

_FORMULA: Final = re.compile(r"\$\$(.+?)\$\$|(?<!\\)\$(.+?)(?<!\\)\$|\\\[(.+?)\\\]|\\\((.+?)\\\)", re.DOTALL)
#: Digits in groups of three, however they are set apart.
_GROUPED: Final = r"\d{1,3}(?:(?:,|\{,\}|,?\\[,!;:]\s?|[ \u00a0\u202f])\d{3})+(?!\d)"
NUMBER: Final = re.compile(
    rf"(?:(?<![\w)\]}}.%])[-−])?(?:(?<![\w.]){_GROUPED}|\d+|(?<!\d)(?=\.\d))(?:\.\d+)?(?:\s*/\s*-?\d+(?!\d|\.\d))?(?:%|\s?π)?"
    r"|(?<![\w.])[-−]?\d*√\d+"
)
#: The end of a sentence: a full stop that no digit follows, or the end of a line.
#: Full stops behind `i.e.`, `e.g.`, `approx.` and single digits' marks end none.
SENTENCE: Final = re.compile(
    r"(?<=[^\s])(?<!\bi\.e)(?<!\be\.g)(?<!\bapprox)(?<!\bca)[.!?](?=\s|,|$|\*|\))|\n"
)
WORD: Final = re.compile(r"(?<![\\A-Za-z])[A-Za-z]{2,}(?![A-Za-z])")
NAME: Final = re.compile(r"\\?[A-Za-z]+(?:_\{?\w+\}?)?'*|[A-Za-z]\([A-Za-z\d]{1,3}\)")
_TEXT_COMMAND: Final = re.compile(r"\\(?:text\w*|mbox|mathrm|operatorname|begin|end)\s*\{[^{}]*\}")
#: Marks of Markdown's emphasis, which are no powers.
_EMPHASIS: Final = re.compile(r"(?<![\w\s])\*\*|\*\*(?![\w\s])|(?<!\S)\*\*(?=\S)|(?<=\S)\*\*(?!\S)")
_LEAD: Final = re.compile(
    r"^(?:(?:so|thus|hence|therefore|then|finally|probably|likely|simply|clearly|it is|that is"
    r"|we (?:get|have|find))\b[,:]?\s+)+(?=\S)",
    re.IGNORECASE,
)
#: Where the clause that states an answer ends: a reason, a remark, a contrast.
_CLAUSE: Final = re.compile(
    r"""\s*,?\s+(?:because|since|which|so\s+that|where|when|whereas|while|but|rather\s+than|instead\s+of|not|as\s+(?:it|the|we|they|he|she|required|desired|there|this|that|expected|claimed))\b
      | \s*[,;]\s*(?:and\s+)?(?:that|this|it|we|she|he|they|so|the|then|therefore|hence|thus)\b
      | \s+is\s+(?:the\s+)?(?:correct|right|true|best)\b
      | \s+or\s+so\b
      | \s+and\s+nothing\b
      | :\s+(?=\d+\s*[-+*/×]\s*\d)
      | \s+and\s+(?:that|this|it|we|she|he|they|so|the|then|therefore|hence|thus)\b
      | \s+[-–—]{1,3}\s+(?=[A-Za-z]{2})
      | —(?=\s?[A-Za-z]{2})""",
    re.IGNORECASE | re.VERBOSE,
)
#: A comma behind a number and before a word that is none of a list.
_REMARK: Final = re.compile(
    r"(?<=[\d%})A-Za-z])\s*[,;]\s*(?!(?:and|or)\b)(?=[A-Za-z]{3,}\b|I\b|i\.e\.|e\.g\.)"
)
#: A number with what it counts, before a working or a remark in brackets.
_WORKED: Final = re.compile(
    r"((?:[A-Za-z]\w{0,3}\s*=\s*)?\W{0,3}[-−]?[\d.,/]*\d%?(?:\s+[A-Za-z]{2,}){0,3})\s+\((?!\s*mod\b)[^()]*\).*",
    re.DOTALL,
)
#: `the largest n is 34`: the value behind the verb, where one stands there.
_VALUE: Final = re.compile(
    r"\b(?:is|are|equals|was|be|=)\s+(?:equal\s+to\s+|exactly\s+|just\s+)?(?=[\W_]{0,4}\d|\$|\\)",
    re.IGNORECASE,
)


def plain(text: str) -> str:
    """A text without the marks of emphasis."""
    return _EMPHASIS.sub("", text) if "**" in text else text


def is_bare(text: str) -> bool:
    """Whether a text is nothing but an answer: short, one line, no prose."""
    text = text.strip()
    if not text or len(text) > WHOLE or (text.count("\n") > 1 and "\\begin" not in text):
        return False
    rest = _TEXT_COMMAND.sub(" ", text)
    if re.search(r"[a-z\d][.!?]\s+[A-Z][a-z]", rest):
        return False  # two sentences
    words = [word for word in WORD.findall(rest) if word.islower() or word.istitle()]
    return len(words) <= 3 and not re.search(
        r"\b(?:is|are|it|she|he|they|there|you|the|we|that|answer|so|have|find|do|not|know|cannot|this|each|makes|gives|leaves|costs?|earns?|pays?|takes?|needs?|i'm|got|get|gets|choose|chose|pick|think|believe|guess|ans)\b|####|(?:^|\n)A:\s",
        rest,
        re.IGNORECASE,
    )


def formulas(text: str) -> list[re.Match[str]]:
    """The formulas of a text. A price is none: `$8 and drinks $18`."""
    out, position = [], 0
    while (match := _FORMULA.search(text, position)) is not None:
        price = match[2] is not None and _is_price(text, match)
        if not price:
            out.append(match)
        position = match.start() + 1 if price else match.end()
    return out


def inside(formula: re.Match[str]) -> str:
    """What stands between the marks of a formula."""
    return strip(next(group for group in formula.groups() if group is not None))


def _is_price(text: str, match: re.Match[str]) -> bool:
    """Whether the first of two dollar signs is money: a number follows, and what stands between the signs
    is prose, or ends as no formula does."""
    between = match[2]
    if not between[:1].isdigit() and between[:1] != ".":
        return len(between) > 40 and len(WORD.findall(_TEXT_COMMAND.sub(" ", between))) > 4
    words = [w for w in WORD.findall(_TEXT_COMMAND.sub(" ", between)) if len(w) > 2 and w.islower()]
    return (
        bool(words)
        or between[-1].isspace()
        or between[-1] in "-+*/=(,"
        or text[match.end() : match.end() + 1].isdigit()
        or between.count("(") != between.count(")")
    )


def masked(text: str, hidden: Sequence[re.Match[str]]) -> str:
    """The text, as long as it is, with formulas covered, so that no word or mark in them is taken for one
    of the prose."""
    for formula in hidden:
        text = text[: formula.start()] + "$" * len(formula.group()) + text[formula.end() :]
    return text


def sentences(text: str) -> list[tuple[int, int]]:
    """Where the sentences of a text begin and end; no full stop inside a formula ends one."""
    cover = masked(text, formulas(text))
    out, start = [], 0
    for match in SENTENCE.finditer(cover):
        out.append((start, match.start()))
        start = match.end()
    out.append((start, len(text)))
    return [(a, b) for a, b in out if text[a:b].strip()]


def clause(said: str) -> str:
    """A statement without the reasons and remarks behind it: `35, counting both trips` states 35."""
    for end in (_CLAUSE, _REMARK):
        match = end.search(said, 1)
        if match is not None and (end is _CLAUSE or re.search(r"\d", said[: match.start()])):
            said = said[: match.start()]
    worked = _WORKED.fullmatch(said)
    said = worked[1] if worked is not None else said
    values = list(_VALUE.finditer(said))
    if values and WORD.search(said[: values[-1].start()]):
        return said[values[-1].end() :]
    return said


def strip(text: str) -> str:
    """Without Markdown, the words that lead in, and the full stop."""
    text = _LEAD.sub("", text.strip().strip("*_`").strip())
    if text.endswith(".") and not text.endswith("..."):
        text = text[:-1].rstrip()
    return text.strip("*_`").strip()
