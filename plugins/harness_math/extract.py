"""The final answer in a response: after the end of thinking, the last balanced box.

Every answer carries the name of the rule that found it. All of this is linear in the response,
whatever it contains.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from typing import Final

from harness_math.prose import (
    NAME,
    NUMBER,
    SENTENCE,
    WHOLE,
    WORD,
    clause,
    formulas,
    inside,
    is_bare,
    plain,
    strip,
)
from harness_math.statements import last_of

OPEN: Final = "<think>"
CLOSE: Final = "</think>"

_BOX: Final = re.compile(r"\\(?:boxed|fbox|framebox)\s*\{")
#: A box without braces holds what stands behind it: `\\boxed 7`.
_BRACELESS: Final = re.compile(r"\\boxed\s*(-?\d+(?:\.\d+)?|[A-Za-z])(?![\w{])")
#: What joins two boxes, and what makes two guesses of them.
_JOINED: Final = re.compile(r"[\s$]*(?:,|and|,\s*and)[\s$]*", re.IGNORECASE)
_EITHER: Final = re.compile(r"[\s$\\()\[\]]*(?:or|或)[\s$\\()\[\]]*", re.IGNORECASE)
_BRACE: Final = re.compile(r"\\.|[{}]", re.DOTALL)
#: How far from its end a response is searched for a stated answer, in characters.
TAIL: Final = 2000

#: Most boxes that are taken together.
BOXES: Final = 20

_STATED: Final = re.compile(
    r"""(?: \b (?:answers?|results?|option|choice) (?:\s+to\s+[^.\n$\\]{0,60})?
              (?:\s+\([a-z\s]{1,30}\))? \s* (?:\*\*|__)? \s* (?:[:=]|\b(?:is|are)\b)         # the answer is
          | \b (?:solutions?|roots?|zeros) \s+ (?:is|are) \b (?=[*_\s]*(?:[-$\\(\[\d]|[a-z]\s*=))
          | \b final \s+ answer \s* (?:\*\*|__)? \s* \n+      # a heading
          | (?: (?<=\s)|^ ) (?: \#{4} (?=\s) | \#{3} (?=\s+[^\n]+$))   # GSM8K's mark; else a heading
          | \b ans \. \s+ (?=[-\d\\$(])
          | (?<![A-Za-z]) (?=\(?[A-J]\)?\s+is\s+the\s+(?:correct|right|best)\b)
          | \b (?:choose|chose|pick|select|go\s+with) \s+ (?:(?:option|answer|choice)\s+)? (?=\(?[A-J]\b)
          | \b (?:option|choice|answer) \s+ (?=\(?[A-J]\)?\s+is\s+(?:correct|right|the\b))
          | \b answer \s+ (?=[\\$(\[*]*[-\d\\$(])
          | (?: (?<=\n)|^ ) A: (?=\s*[^\s\n])             # the last line of GSM8K's own solutions
        ) [:\s]*""",
    re.IGNORECASE | re.VERBOSE,
)
#: The mark of an item of a list, on a line of its own or not: `2. `, `- `, `(b) `, `**Part b:** `.
_MARK: Final = re.compile(r"\n\s*(?:[-*•]|\*{0,2}\(?(?:[Pp]art\s+)?\(?\w{1,3}[.):]{1,2}\*{0,2})\s+")
_TURN: Final = re.compile(
    r"<\|(?:im_start|im_end|endoftext|eot_id|end|end_of_text)\|>|</s>|<eos>|<end_of_turn>|<｜end▁of▁sentence｜>"
)
#: How far from its end a response is searched for the sign of its end, in characters.
ENDING: Final = 40
#: Signs that a proof or an answer ends with.
_TOMBSTONE: Final = re.compile(r"\s*(?:[∎■□✓✅]|\$?\s*\\(?:blacksquare|square|qed|Box)\s*\$?)\s*$")
#: A clause that says what the answer is not, or might be.
_DENIED: Final = re.compile(
    r"\b(?:answers?|results?|solutions?)\s+(?:is\s*n['’]t|(?:is|are|must|should)\s+not|can\s*not\s+be|can['’]t\s+be|could\s+not\s+be|couldn['’]t\s+be)\b[^.!?\n,;]*",
    re.IGNORECASE,
)
#: A sentence in brackets at the very end.
_BRACKETED: Final = re.compile(r"([.!?])\s+\([A-Z][^()]*\)\s*$")
_FENCED: Final = re.compile(r"\s*```\w*\n([^`\n]+)\n```\s*")


@dataclass(frozen=True, slots=True)
class Extracted:
    """An answer and the rule that found it; `text` is None when there is none, with the reason."""

    text: str | None
    rule: str
    #: All boxes of the last sentence that has one, when they are several.
    boxes: tuple[str, ...] = ()


def after_thinking(response: str, thinking: str) -> str | None:
    """What the model says after thinking; None when thinking never ended."""
    if thinking == "none":
        return response
    end = response.rfind(CLOSE)
    if end < 0 and (thinking == "prefilled" or OPEN in response):
        return None
    spoken = response[end + len(CLOSE) :] if end >= 0 else response
    # Thinking that begins again after its end is thinking.
    return spoken.partition(OPEN)[0]


def extract(response: str, *, thinking: str, extraction: str, truncated: bool = False) -> Extracted:
    """The final answer of a response. Without a box, a truncated response has none: what stands at
    its end may be half of what it was going to say."""
    spoken = after_thinking(response, thinking)
    if spoken is None:
        return Extracted(None, "thinking never ended")
    boxes = last_boxes(spoken)
    if boxes:
        guesses = _guesses(spoken)
        return Extracted(r" \text{ or } ".join(guesses) or boxes[-1], "boxed", boxes)
    if extraction == "boxed" or truncated:
        return Extracted(None, "no box, and cut at max_tokens" if truncated else "no box")
    fenced = _FENCED.fullmatch(spoken) if len(spoken) <= WHOLE else None
    spoken = fenced[1] if fenced is not None else spoken
    if is_bare(spoken):
        return Extracted(strip(plain(spoken)), "whole response")
    if extraction == "final":
        return Extracted(None, "no box")
    return _anything(spoken)


def last_boxes(text: str) -> tuple[str, ...]:
    """Contents of the last balanced box, preceded by the other boxes of the same sentence."""
    starts = [match.end() for match in _BOX.finditer(text)]
    if not starts:
        bare = _BRACELESS.findall(text)
        return (bare[-1],) if bare else ()
    ends = _closing(text, starts)
    boxes = [(start, ends[start]) for start in starts if start in ends]
    # A box inside another box is part of it.
    outer = [
        (s, e)
        for i, (s, e) in enumerate(boxes)
        if not any(a < s and e < b for a, b in boxes[max(0, i - 3) : i])
    ]
    if not outer:
        return ()
    chosen = [outer[-1]]
    for start, end in reversed(outer[-BOXES:-1]):
        between = _MARK.sub(" ", text[end + 1 : chosen[0][0]])
        if _JOINED.fullmatch(between.rpartition("\\")[0]):
            between = " "
        if len(between) > 80 or re.search(r"[.!?:]\s|\n\s*\n|\bnot?\b|\bwait\b", between):
            break
        chosen.insert(0, (start, end))
    return tuple(text[start:end] for start, end in chosen)


def _guesses(text: str) -> list[str]:
    """The contents of the last boxes where only `or` stands between them: guesses, of which none counts."""
    starts = [match.end() for match in _BOX.finditer(text)]
    ends = _closing(text, starts) if len(starts) > 1 else {}
    closed = [(start, ends[start]) for start in starts[-BOXES:] if start in ends]
    guesses: list[str] = []
    for (start, end), (following, last) in itertools.pairwise(closed):
        begin = text.rfind("\\", 0, following)
        if end < begin and _EITHER.fullmatch(text[end + 1 : begin]):
            guesses = [*(guesses or [text[start:end]]), text[following:last]]
        else:
            guesses = []
    return guesses


def _closing(text: str, starts: list[int]) -> dict[int, int]:
    """Position of the brace that closes each box; in one pass, whatever is unbalanced."""
    wanted, stack, ends = set(starts), [], {}
    for match in _BRACE.finditer(text, starts[0] - 1):
        symbol = match.group()
        if symbol == "{":
            stack.append(match.end())
        elif symbol == "}" and stack:
            start = stack.pop()
            if start in wanted:
                ends[start] = match.start()
    return ends


def _anything(spoken: str) -> Extracted:
    spoken = _TURN.split(spoken, maxsplit=1)[0].rstrip()
    spoken = spoken[:-ENDING] + _TOMBSTONE.sub("", spoken[-ENDING:])
    tagged = _tagged(spoken)
    if tagged is not None:
        return Extracted(strip(tagged), "answer tag")
    tail = _BRACKETED.sub(r"\1", _DENIED.sub("", spoken[-TAIL:]))
    for match in reversed(list(_STATED.finditer(tail))):
        said = _sentence(tail[match.end() :])
        if said:
            return Extracted(said, "stated")
    return Extracted(*last_of(tail))


def _tagged(spoken: str) -> str | None:
    """What stands in the last `<answer>` that ends."""
    end = spoken.rfind("</answer>")
    start = spoken.rfind("<answer>", 0, max(end, 0))
    return spoken[start + len("<answer>") : end] if 0 <= start < end else None


def _sentence(said: str) -> str:
    """What is stated, up to the end of its clause; its formulas alone when it has some."""
    said = said.lstrip(" \t\r\n:*_=")
    first = next(iter(formulas(said[:400])), None)
    formula = first if first is not None and first.start() == 0 else None
    if formula is None and first is not None and SENTENCE.search(said[: first.start()]) is None:
        before = said[: first.start()]
        formula = first if WORD.search(before) and not NUMBER.search(before) else None
    if formula is not None:
        rest = said[formula.end() :]
        said_of = inside(formula)
        value = re.match(r"\s*(?:is|equals|=)\s*", rest)
        if NAME.fullmatch(said_of) and value is not None:
            return _sentence(rest[value.end() :])
        more = re.match(r"\s*(?:\\?%|percent|(?:,|and|or)\s*\$[^$]+\$)", rest)
        return strip(said[formula.start() : formula.end()] + (more.group() if more else ""))
    end = SENTENCE.search(said)
    stated = strip(clause(said[: end.start()] if end else said))
    return stated[:-1] if stated.endswith(")") and "(" not in stated else stated
