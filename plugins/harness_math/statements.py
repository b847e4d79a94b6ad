"""What the last sentence states, where nothing says which is the answer.

`The legs are 12 and 16` states what stands behind its verb, up to the end of its clause. That counts if the
reader of answers reads all of it; only else does the last formula count, or the last number.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from harness_math.counts import count
from harness_math.nodes import CostBound, Day
from harness_math.prose import (
    NAME,
    NUMBER,
    WORD,
    formulas,
    inside,
    is_bare,
    masked,
    plain,
    sentences,
    strip,
)
from harness_math.reading import read, understood
from harness_math.units import is_unit, unit
from harness_math.vocabulary import FUNCTIONS, PLAIN_WORDS, PREPOSITIONS, PRODUCT, words

#: Longest part of a sentence that is read, from its end, in characters.
LONGEST: Final = 500
#: Most sentences that are looked at, and most places of a kind in one where a value may stand.
SENTENCES: Final = 5
PLACES: Final = 8
#: Words between a verb and a value that say nothing about it.
_FILLERS: Final = (
    r"(?:(?:that|equal\s+to|given\s+by|of\s+the\s+form|to\s+be|just|only|simply|then|thus|therefore|hence|also"
    r"|indeed|now|always|exactly|all|an?|the|numbers?|values?|sets?|points?|pairs?|integers?|both|either|us)\b[\s,:]*)*"
)
#: What a value stands behind: verbs first, then a colon, a place, an equals sign in plain text.
_MARKS: Final = tuple(
    re.compile(mark + _FILLERS, re.IGNORECASE)
    for mark in (
        r"\b(?:is|are|was|were|be|equals?|giv(?:es?|ing)|yield(?:s|ing)?|gets?|got|obtain(?:s|ed)?|finds?"
        r"|found|has|have|becomes?|remains?|leav(?:es?|ing)|makes?|costs?|pays?|earns?|saves?|needs?|weighs?"
        r"|measures?|(?:comes?|amounts?|reduces?|simplif(?:y|ies)) to)"
        r"\b[\s,:]*",
        r"\b(?:(?:follows?|conclud(?:e|ed|ing)|deduced?|shows?|means?|implies) that|namely|i\.e\.,?)\s+",
        r"(?<![\d\s])\s*:\s+",
        r"(?<=[a-z])\s+at\s+(?=(?:the\s+points?\s+)?(?:[$\\(]|[a-z]\s?=|\d{1,2}:\d))",
        r"(?<=[a-z])\s+(?:on|as|for)\s+(?:the\s+intervals?\s+)?(?=[$\\(\[{]|[a-z]\s?[∈≤≥<>])",
        r"\bratio\s+(?=\d)",
        r"\bon\s+(?=(?:January|February|March|April|May|June|July|August|September|October|November|December)\s\d)",
        r"\b(?:when|if|iff)\s+(?=[A-Za-z]\s?[=<>≤≥≠∈]|[-−]?\d+\s?[<≤]|\$)",
        r"=\s*",
    )
)
#: Where a remark on what was stated begins.
_RELATIVE: Final = re.compile(
    r"\s*,?\s+(?:because|since|where|when(?:ever)?|whereas|while|rather\s+than|instead\s+of|not|for\s+(?:every|all|any|each|some)"
    r"|which\b(?!\s+(?:gives?|makes?|leaves?|means?|yields?|totals?|equals?|comes?|results?|brings?|adds?|rounds?))"
    r"(?!\s+(?:is|are|was|were)\s+(?:just|exactly|only|equal\s+to)?\s*[-−\d$(\\√])"
    r"|(?:first\s+)?(?:attained|achieved|reached|occurring|counting|including|excluding)"
    r"|as\s+(?:it|the|we|they|he|she|required|desired|there|this|that|expected|claimed))\b",
    re.IGNORECASE,
)
#: What no remark holds, but the working of a later value.
_WORKING: Final = re.compile(r"\d\s*[-+*/×]\s*\$?\d[\d\s.*/+×$-]*=|\btotal\b")
#: Where another clause begins; with a value of its own it is the one that states.
_CLAUSE: Final = re.compile(
    r"\s*(?:[,;]|[,;]?\s+(?:and|but))\s*(?:and\s+|but\s+)?(?:that|this|it|we|she|he|they|so|the|then|therefore|hence|thus)\b"
    r"|\s+[-–—]{1,3}\s+(?=[A-Za-z]{2})|—(?=\s?[A-Za-z]{2})",
    re.IGNORECASE,
)
#: A remark behind a comma, and one in brackets.
_REMARK: Final = re.compile(
    r"(?<=[\d%})$A-Za-z])\s*[,;]\s*(?!(?:and|or)\b)(?=[A-Za-z]{3,}\b|i\.e\.|e\.g\.).*", re.DOTALL
)
_BRACKETED: Final = re.compile(r"\s+\((?!\s*mod)[^()]*[A-Za-z]{2}[^()]*\)\s*$")
#: Words at the end of a statement, behind its value.
_BEHIND: Final = re.compile(r"(?<=[\w)\]}$%°π])((?:\s+(?:a\s+)?[A-Za-z][A-Za-z'-]+)+)\s*$")
#: Words inside a value: a base, a ratio.
_SPELT: Final = re.compile(r"\bin (?=base\b)|(?<=\d )to(?= \d)")
_RESTRICTS: Final = words("if unless or otherwise not except nor than when")
#: Words that are no products of letters.
_SHORT: Final = words(
    "am an as at be by do go he if in is it me my no of oh ok on so to up us we am pm vs st nd rd th"
)
_SAYING: Final = FUNCTIONS | PLAIN_WORDS.keys() | words("and or per sqrt root mod modulo base choose cis")
#: A name behind its verb, at the end of a sentence.
_PROPER: Final = re.compile(r"\b(?:is|are|was|were|be)\s+(?:an?\s+|the\s+)?([A-Z][a-z]+)\s*[.!]?\s*$")
#: What something is called at the end of a conclusion: `so the triangle is isosceles`.
_DESCRIBED: Final = re.compile(
    r"\b(?:[Ss]o|[Tt]hus|[Hh]ence|[Tt]herefore)\b[^\d.,]*\b(?:is|are)\s+(?:an?\s+|the\s+)?([a-z-]+)\s*[.!]?\s*$"
)
_FINISHED: Final = words(
    """complete done correct right proved proven finished verified consistent valid possible solved given
    wrong"""
)
#: Words for every number of a kind, and for none.
_ALL: Final = re.compile(
    r"\b(?:is|are)\s+(?:the\s+set\s+of\s+)?(all\s+(?:real\s+numbers|reals|(?:positive\s+)?integers|(?:natural|rational)\s+numbers))$"
)
_NOTHING: Final = re.compile(
    r"\b(?:has|have|is|are)\s+(no\s+(?:real\s+)?solutions?)\b|\bset\s+is\s+(empty)\b", re.IGNORECASE
)
#: How many there are, before what they are: `There are 6 ways to choose 2 of 4 people`.
_FIRST: Final = re.compile(
    r"\bthere\s+(?:is|are|were|was)\s+(?:exactly\s+|only\s+)?(\d+)\s+[a-z]+\s[^=,;+*/]*$", re.IGNORECASE
)
_LEADING: Final = re.compile("^" + _FILLERS, re.IGNORECASE)
_ARTICLE: Final = re.compile(r"\ba\s+[A-Za-z]{2}|\w&\w")
#: What makes a list of values.
_LISTS: Final = re.compile(r",(?!\d{3})|;|\b(?:and|or)\b")
#: A letter for the sign of multiplication.
_CROSS: Final = re.compile(r"(?<=\d)\s*[xX]\s*(?=\$?\d)")
#: A unit that touches its number.
_GLUED: Final = re.compile(r"(\d)(?=[A-Za-z]{1,3}$)")
_PLACED: Final = re.compile(r"\s*[-*•]\s+(?=.*[A-Za-z]{2})")
_EQUALS: Final = re.compile(r"(?<![<>=!:])=(?!=)")
#: A unit behind the last number.
_UNIT: Final = re.compile(r"\s?([A-Za-z°]+(?:\^?[23]|[²³])?)(?![A-Za-z])")
#: A response that begins with yes or no: in bold, as a sentence, in any way.
_BOLD: Final = re.compile(r"\s*(?:\*\*|__)(yes|no)[.,!:]?(?:\*\*|__)", re.IGNORECASE)
_ALONE: Final = re.compile(r"\s*(yes|no)(?:[.!]\s|,\s+(?:because|since)\b)", re.IGNORECASE)
_YES_OR_NO: Final = re.compile(r"\s*\W{0,2}(yes|no)\b[,.:!;*]", re.IGNORECASE)


def last_of(tail: str) -> tuple[str | None, str]:
    """The answer of a text that marks none, and the rule that found it."""
    bold = _BOLD.match(tail)
    if bold is not None:
        return bold[1], "yes or no"
    text = plain(tail)
    last = ""
    for begin, end in reversed(sentences(text)[-SENTENCES:]):
        last = " ".join(text[begin:end].split())[-LONGEST:]
        value = _stated(last)
        if value is not None:
            return value, "last statement"
        if NUMBER.search(last) or formulas(last):
            break
    return _last_piece(text, last)


def _last_piece(text: str, sentence: str) -> tuple[str | None, str]:
    """Where the last sentence with a value states nothing that can be read: a piece of it."""
    first = _ALONE.match(text)
    if first is not None:
        return first[1], "yes or no"
    remark = _RELATIVE.search(masked(sentence, formulas(sentence)))
    for part in (sentence[: remark.start()] if remark else "", sentence):
        written = formulas(part)
        if written:
            said = inside(written[-1])
            number = NUMBER.search(part, written[-1].end())
            # A number behind a formula that is only a name is its value.
            if number is None or not NAME.fullmatch(said):
                return said, "last formula"
    line = text.strip().rsplit("\n", 1)[-1]
    if is_bare(line):
        return strip(line), "last line"
    bracketed = re.findall(r"\[([^\[\]]{1,80})\]", line)
    if bracketed:
        return strip(bracketed[-1]), "brackets"
    number = next(reversed(list(NUMBER.finditer(text))), None)
    if number is not None:
        behind = _UNIT.match(text, number.end())
        measured = behind is not None and behind[1] not in PREPOSITIONS and unit(behind[1]) is not None
        return number.group() + (f" {behind[1]}" if behind is not None and measured else ""), "last number"
    first = _YES_OR_NO.match(text)
    if first is not None:
        return first[1], "yes or no"
    return None, "nothing that looks like an answer"


def _stated(sentence: str) -> str | None:
    """What a sentence states, where that can be read."""
    cover = masked(sentence, formulas(sentence))
    remark = _RELATIVE.search(cover, 1)
    if remark is not None and not _WORKING.search(cover[remark.end() :]):
        before = next(_values(sentence[: remark.start()]), None)
        if before is not None:
            return before
    return next(_values(sentence), None)


def _values(sentence: str) -> Iterator[str]:
    """What a sentence may state and can be read, the likeliest first."""
    sentence = _PLACED.sub("", sentence)
    whole = strip(sentence)
    whole = _LEADING.sub("", whole, count=1)
    if _reads(whole):
        yield _shown(whole)
    cover = masked(sentence, formulas(sentence))
    called = _ALL.search(whole) or _PROPER.search(cover) or _DESCRIBED.search(cover)
    if called is not None and called[1] not in _FINISHED:
        yield called[1]
    worded = re.search(r"[\d$]", cover) is None
    if worded and _NOTHING.search(cover):
        yield "no solution"
    for mark in _MARKS:
        for match in reversed(list(mark.finditer(cover))[-PLACES:]):
            said = sentence[match.end() :]
            value = _value(said)
            if value is not None:
                yield value
            elif worded and mark is _MARKS[0] and (number := _number_in_words(said)):
                yield number
    first = _FIRST.search(cover)
    if first is not None:
        yield first[1]


def _number_in_words(said: str) -> str:
    """The number that a clause begins with, `seven such numbers`; nothing where it may be a pronoun."""
    names = strip(said).lower().split()
    number = next((" ".join(names[:n]) for n in range(len(names), 0, -1) if count(" ".join(names[:n]))), "")
    return number if len(names) == len(number.split()) or number not in ("one", "half") else ""


def _value(said: str) -> str | None:
    """The value at the beginning of a clause; None where the clause cannot be read."""
    said = strip(said)
    if _reads(said):
        return _shown(said)
    kept = cover = _BRACKETED.sub("", masked(said, formulas(said)))
    other = _CLAUSE.search(cover, 1)
    if other is not None:
        kept = kept[: other.start()]
    kept = _REMARK.sub("", kept)
    if re.search(r"\d", cover[len(kept) :]) or (other is not None and "$" in cover[other.start() :]):
        return None  # what is left out may state the value
    behind = _BEHIND.search(kept)
    unit_names: list[str] = []
    if behind is not None:
        unit_names = _leading_unit(behind[1].split())
        if not _RESTRICTS.isdisjoint(behind[1].lower().split()):
            return None
        kept = kept[: behind.start(1)]
    said = strip(" ".join([said[: len(kept)], *unit_names]))
    return _shown(said) if _reads(said) else None


def _leading_unit(names: list[str]) -> list[str]:
    """The unit that words behind a value begin with."""
    if names[0] in PREPOSITIONS:
        return []
    return next((names[:n] for n in range(len(names), 0, -1) if is_unit(" ".join(names[:n]))), [])


def _reads(said: str) -> bool:
    """Whether a text is an answer and nothing else: no word of prose, and read to the last token."""
    if not said:
        return False
    try:
        reading = read(said)
    except CostBound:
        return False
    if (reading.clock is not None and reading.clock.sure) or isinstance(reading.nodes[0], Day):
        return True
    cover = masked(said, formulas(said))
    if _ARTICLE.search(cover):
        return False
    words = WORD.finditer(_SPELT.sub(" ", cover))
    return all(_is_no_prose(word) for word in words) and understood(reading)


def _is_no_prose(match: re.Match[str]) -> bool:
    """Whether a word is part of a formula in plain text: a function, a unit, a product of letters."""
    word = match.group()
    if word.lower() in _SAYING or (word not in PREPOSITIONS and is_unit(word)):
        return True
    behind_a_number = re.search(r"\d\s+$", match.string[: match.start()]) is not None
    product = (len(word) == 2 and word.lower() not in _SHORT) or PRODUCT.fullmatch(word) is not None
    return product and not behind_a_number


def _shown(said: str) -> str:
    """A value as it is compared: the last member of a computation in plain text (`20 - 3 = 17`), one formula
    without its marks, a unit apart from its number."""
    written = formulas(said)
    if len(written) == 1 and written[0].group() == said:
        return inside(written[0])
    said = _GLUED.sub(r"\1 ", said)
    members = [] if written or _LISTS.search(said) else [strip(part) for part in _EQUALS.split(said)]
    if len(members) > 2 or (len(members) == 2 and _computes(*members)):
        return members[-1]
    return said


def _computes(before: str, value: str) -> bool:
    """Whether what stands before an equals sign has no letters but signs of multiplication and the units of
    the value behind it."""
    units = set(WORD.findall(value)) | set(re.findall(r"(?<=\d )[A-Za-z]$", value))
    before = _CROSS.sub("*", before)
    return all(word in units for word in re.findall(r"[A-Za-z]+", before))
