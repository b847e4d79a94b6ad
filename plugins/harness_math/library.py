"""math-verify, as a comparator of what was extracted and cannot be read here.

Its own time-outs are off: they rest on signals, and the worker around it can be killed. What it is
given has passed the bound. Imported only when needed.
"""

from __future__ import annotations

import functools
import logging
import re
from typing import Any, Final

from harness_math.bound import check_library
from harness_math.nodes import Num, Sym, walk
from harness_math.reading import Reading

DISTRIBUTIONS: Final = ("math-verify", "sympy", "latex2sympy2_extended")


def same(gold: Reading, prediction: Reading) -> bool:
    """Whether math-verify holds two answers for equal, having read both completely: every name and every
    number of an answer must be in what it made of it, as it may skip what it does not know.

    Raises:
        CostBound: it might take too long to say.
        ImportError: math-verify is not installed.
    """
    check_library(gold.source)
    check_library(prediction.source)
    from math_verify import parse, verify

    _quiet()
    ours, theirs = (
        parse(_wrapped(text), extraction_config=_configuration(), parsing_timeout=None, raise_on_error=False)
        for text in (gold.source, prediction.source)
    )
    if not _accounts_for(gold, ours) or not _accounts_for(prediction, theirs):
        return False
    return bool(verify(ours, theirs, timeout_seconds=None, raise_on_error=False))


def _accounts_for(reading: Reading, made: list[Any]) -> bool:
    parts = walk(reading.nodes[0])
    names = {part.name for part in parts if isinstance(part, Sym)}
    numbers = {str(abs(part.value)) for part in parts if isinstance(part, Num)} - {"1"}
    texts = [str(item) for item in made if not isinstance(item, str)]
    return any(names | numbers <= set(re.findall(r"[A-Za-z]+\w*|\d+(?:/\d+)?", text)) for text in texts)


@functools.cache
def _quiet() -> None:
    # It warns at every call that its time-outs are off, which is how it is meant to run here.
    for name in ("math_verify.parser", "math_verify.grader", "math_verify.utils"):
        logging.getLogger(name).setLevel(logging.ERROR)


def _wrapped(text: str) -> str:
    return text if "$" in text else f"${text}$"


@functools.cache
def _configuration() -> Any:
    from math_verify import ExprExtractionConfig, LatexExtractionConfig

    return (LatexExtractionConfig(), ExprExtractionConfig())
