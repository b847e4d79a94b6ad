"""math-verify, as a comparator of what was extracted and cannot be read here.

Its own time-outs are off: they rest on signals, and the worker around it can be killed. What it is
given has passed the bound. Imported only when needed.
"""

from __future__ import annotations

import functools
import logging
from typing import Any, Final

from harness_math.bound import check_library

DISTRIBUTIONS: Final = ("math-verify", "sympy", "latex2sympy2_extended")


def same(gold: str, prediction: str) -> bool:
    """Whether math-verify holds two answers for equal.

    Raises:
        CostBound: it might take too long to say.
        ImportError: math-verify is not installed.
    """
    check_library(gold)
    check_library(prediction)
    from math_verify import parse, verify

    _quiet()
    ours, theirs = (
        parse(_wrapped(text), extraction_config=_configuration(), parsing_timeout=None, raise_on_error=False)
        for text in (gold, prediction)
    )
    if not ours or not theirs:
        return False
    return bool(verify(ours, theirs, timeout_seconds=None, raise_on_error=False))


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
