"""The final answer in a response: after the end of thinking, the last balanced box.

Every answer carries the name of the rule that found it. All of this is linear in the response,
whatever it contains.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

OPEN: Final = "<think>"
CLOSE: Final = "</think>"

_BOX: Final = re.compile(r"\\(?:boxed|fbox)\s*\{")
_BRACE: Final = re.compile(r"\\.|[{}]", re.DOTALL)
#: How far from its end a response is searched for a stated answer, in characters.
TAIL: Final = 2000
#: Longest response that may as a whole be an answer, in characters.
WHOLE: Final = 300

#: Most boxes that are taken together.
BOXES: Final = 20

_STATED: Final = re.compile(
    r"""(?: \b (?:answer|result|option|choice) (?:\s+to\s+[^.\n$\\]{0,60})?
              \s* (?:\*\*|__)? \s* (?:[:=]|\bis\b)                 # the answer is
          | \b final \s+ answer \s* (?:\*\*|__)? \s* \n+      # a heading
          | (?: (?<=\s)|^ ) \#{3,4} (?=\s)                       # GSM8K's mark
          | \b answer \s+ (?=[\\$(\[*]*[-\d\\$(])
        ) [:\s]*""",
    re.IGNORECASE | re.VERBOSE,
)
_FORMULA: Final = re.compile(r"\$\$(.+?)\$\$|(?<!\\)\$(.+?)(?<!\\)\$|\\\[(.+?)\\\]|\\\((.+?)\\\)", re.DOTALL)
_NUMBER: Final = re.compile(r"-?(?:\d[\d,]*\.?\d*|\.\d+)(?:\s*/\s*-?\d+)?%?")
#: The end of a sentence: a full stop that no digit follows, or the end of a line.
_SENTENCE: Final = re.compile(r"(?<=[^\s])[.!?](?=\s|$|\*|\))|\n")
_PROSE: Final = re.compile(r"(?<![\\A-Za-z])[A-Za-z]{2,}(?![A-Za-z])")
_TEXT_COMMAND: Final = re.compile(r"\\(?:text\w*|mbox|mathrm|operatorname|begin|end)\s*\{[^{}]*\}")
_LEAD: Final = re.compile(
    r"(?:(?:so|thus|hence|therefore|then|finally|it is|that is|we (?:get|have|find))\b[,:]?\s+)+(?=\S)",
    re.IGNORECASE,
)
_TURN: Final = re.compile(r"<\|(?:im_start|im_end|endoftext|eot_id)\|>")


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
        return Extracted(boxes[-1], "boxed", boxes)
    if extraction == "boxed" or truncated:
        return Extracted(None, "no box, and cut at max_tokens" if truncated else "no box")
    if is_bare(spoken):
        return Extracted(_strip(spoken), "whole response")
    if extraction == "final":
        return Extracted(None, "no box")
    return _anything(spoken)


def last_boxes(text: str) -> tuple[str, ...]:
    """Contents of the last balanced box, preceded by the other boxes of the same sentence."""
    starts = [match.end() for match in _BOX.finditer(text)]
    if not starts:
        return ()
    ends = _closing(text, starts)
    found = [(start, ends[start]) for start in starts if start in ends]
    # A box inside another box is part of it.
    outer = [
        (s, e)
        for i, (s, e) in enumerate(found)
        if not any(a < s and e < b for a, b in found[max(0, i - 3) : i])
    ]
    if not outer:
        return ()
    chosen = [outer[-1]]
    for start, end in reversed(outer[-BOXES:-1]):
        between = text[end + 1 : chosen[0][0]]
        if len(between) > 80 or re.search(r"[.!?:]\s|\n\s*\n|\bnot?\b|\bwait\b", between):
            break
        chosen.insert(0, (start, end))
    return tuple(text[start:end] for start, end in chosen)


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


def is_bare(text: str) -> bool:
    """Whether a text is nothing but an answer: short, one line, no prose."""
    text = text.strip()
    if not text or len(text) > WHOLE or (text.count("\n") > 1 and "\\begin" not in text):
        return False
    rest = _TEXT_COMMAND.sub(" ", text)
    words = [word for word in _PROSE.findall(rest) if word.islower() or word.istitle()]
    return len(words) <= 3 and not re.search(
        r"\b(?:is|are|the|we|that|answer|so|have|find|do|not|know|cannot|i'm)\b|####", rest, re.IGNORECASE
    )


def _anything(spoken: str) -> Extracted:
    spoken = _TURN.split(spoken, maxsplit=1)[0]
    tagged = _tagged(spoken)
    if tagged is not None:
        return Extracted(_strip(tagged), "answer tag")
    tail = spoken[-TAIL:]
    for match in reversed(list(_STATED.finditer(tail))):
        said = _sentence(tail[match.end() :])
        if said:
            return Extracted(said, "stated")
    return _last_of(tail)


def _tagged(spoken: str) -> str | None:
    """What stands in the last `<answer>` that ends."""
    end = spoken.rfind("</answer>")
    start = spoken.rfind("<answer>", 0, max(end, 0))
    return spoken[start + len("<answer>") : end] if 0 <= start < end else None


def _last_of(tail: str) -> Extracted:
    """Where nothing says which, the last formula, or a number in a later sentence."""
    formulas = list(_FORMULA.finditer(tail))
    numbers = list(_NUMBER.finditer(tail))
    if formulas:
        later = [n for n in numbers if n.start() >= formulas[-1].end()]
        if not later or not _SENTENCE.search(tail[formulas[-1].end() : later[-1].start()]):
            return Extracted(_strip(next(g for g in formulas[-1].groups() if g is not None)), "last formula")
        return Extracted(later[-1].group(), "last number")
    line = tail.strip().rsplit("\n", 1)[-1]
    if is_bare(line):
        return Extracted(_strip(line), "last line")
    bracketed = re.findall(r"\[([^\[\]]{1,80})\]", line)
    if bracketed:
        return Extracted(_strip(bracketed[-1]), "brackets")
    if numbers:
        return Extracted(numbers[-1].group(), "last number")
    return Extracted(None, "nothing that looks like an answer")


def _sentence(said: str) -> str:
    """What is stated, up to the end of its sentence; its formulas alone when it has some."""
    said = said.lstrip(" \t\r\n:*_=")
    formula = _FORMULA.match(said)
    first = _FORMULA.search(said[:400])
    if formula is None and first is not None and _SENTENCE.search(said[: first.start()]) is None:
        formula = first if _PROSE.search(said[: first.start()]) else None
    if formula is not None:
        rest = said[formula.end() :]
        more = re.match(r"\s*(?:\\?%|percent|(?:,|and|or)\s*\$[^$]+\$)", rest)
        return _strip(said[formula.start() : formula.end()] + (more.group() if more else ""))
    end = _SENTENCE.search(said)
    return _strip(said[: end.start()] if end else said)


def _strip(text: str) -> str:
    """Without Markdown, the words that lead in, and the full stop."""
    text = _LEAD.sub("", text.strip().strip("*_`").strip())
    if text.endswith(".") and not text.endswith("..."):
        text = text[:-1].rstrip()
    return text.strip("*_`").strip()
