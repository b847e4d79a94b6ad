"""A completion as pieces of text: where the answer was read, and which steps were judged."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from harness.contract import Span

#: Characters of a text that a page shows, from its beginning and from its end.
HEAD, TAIL = 200_000, 200_000


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of text that is shown alike."""

    text: str
    #: Whether it is what was extracted.
    marked: bool = False
    #: The step that it belongs to, if steps were judged.
    span: Span | None = None
    #: Characters left out here, if the text is very long.
    left_out: int = 0

    @property
    def shade(self) -> int:
        """The step's score in tenths."""
        return 0 if self.span is None else round(10 * min(max(self.span.score, 0.0), 1.0))


def pieces(text: str, extracted: str | None, spans: Sequence[Span] = ()) -> list[Piece]:
    """The text cut where a step or the extracted answer begins or ends; in order, nothing lost but what a
    piece counts as left out."""
    answer = answer_at(text, extracted)
    edges = {0, len(text), *(answer or ())}
    for span in spans:
        edges |= {min(max(edge, 0), len(text)) for edge in (span.start, span.end)}
    gap = (HEAD, len(text) - TAIL) if len(text) > HEAD + TAIL else None
    if gap is not None:
        edges |= set(gap)
    cuts = sorted(edges)
    made: list[Piece] = []
    for start, end in pairwise(cuts):
        if gap is not None and gap[0] <= start < gap[1]:
            if start == gap[0]:
                made.append(Piece("", left_out=gap[1] - gap[0]))
            continue
        marked = answer is not None and answer[0] <= start < answer[1]
        step = next((span for span in spans if span.start <= start < span.end), None)
        made.append(Piece(text[start:end], marked, step))
    return made


#: What may stand right beside an answer of letters or digits without being part of it.
_ALONE: Final = r"(?<![\w.]){}(?!\w|\.\d)"


def answer_at(text: str, extracted: str | None) -> tuple[int, int] | None:
    """Where the extracted answer stands last in a text, in a box if there is one; None if it does not stand
    there as it is, since a verifier may write it otherwise."""
    answer = (extracted or "").strip()
    if not answer:
        return None
    boxed = text.rfind(f"boxed{{{answer}}}")
    if boxed >= 0:
        start = boxed + len("boxed{")
        return start, start + len(answer)
    if len(answer) <= 20:
        places = [place.span() for place in re.finditer(_ALONE.format(re.escape(answer)), text)]
        return places[-1] if places else None
    start = text.rfind(answer)
    return None if start < 0 else (start, start + len(answer))
