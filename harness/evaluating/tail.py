"""The cheapest check of an extraction: does the gold answer stand at the end of a response that failed?

Where it does, either the answer was right and was not extracted, or it was mentioned and given up. A
share beyond a few percent says that the extraction, not the model, decides the score.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from typing import Any, Final

#: Characters at the end of a response that are looked at.
TAIL: Final = 300


def gold_in_tail(answer: Any, text: str) -> bool:
    """Whether the gold answer (or every one of several) occurs in the tail as a word of its own. False
    if more than a text is right, such as whatever passes a program's tests."""
    if isinstance(answer, Mapping):
        return False
    golds = answer if isinstance(answer, list | tuple) else [answer]
    return all(_pattern(str(gold)).search(text, max(0, len(text) - TAIL)) is not None for gold in golds)


@functools.lru_cache(4096)
def _pattern(gold: str) -> re.Pattern[str]:
    bare = r"\s*".join(re.escape(part) for part in gold.strip().strip("$").split())
    return re.compile(rf"(?<![\w.]){bare}(?!\w)(?!\.\d)")
