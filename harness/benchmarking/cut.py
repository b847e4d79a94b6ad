"""Whether a response was cut off, where nobody recorded it."""

from __future__ import annotations

import re
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


def looks_cut(text: str) -> bool:
    """Whether a response ends inside a formula or in the middle of a sentence."""
    end = text.rstrip()
    if len(end) < SHORT:
        return False
    if end.count("```") % 2 or _ENDS.search(end) is None:
        return True
    return any(len(re.findall(a, end)) > len(re.findall(b, end)) for a, b in _PAIRS)
