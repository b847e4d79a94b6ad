"""From evidence to a number: named reductions of a verdict.

A verdict is evidence; which number the trainer sees is a separate choice that the recipe names. A
reduction refuses evidence that is not complete enough for it. `None` masks the rollout out of the
loss: an infrastructure error is never a silent 0.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from harness.errors import RecipeError, near
from harness.records import Verdict

Reduction = Callable[[Verdict], float | None]


def all_pass(verdict: Verdict) -> float | None:
    """1 when everything asked for is right, else 0."""
    if verdict.status == "infra_error":
        return None
    return 1.0 if verdict.status == "pass" else 0.0


def fraction(verdict: Verdict) -> float | None:
    """The score in [0, 1]: for programs, tests passed of all tests (section 3.2 of arXiv 2504.00829)."""
    if verdict.status == "infra_error":
        return None
    if verdict.status != "pass" and not verdict.complete:
        raise RecipeError(
            f"reward 'fraction' needs all tests run, but {verdict.verifier!r} stopped at the first failure",
            hint='let the verifier run all tests, or use reward = "all_pass"',
        )
    return float(verdict.score or 0.0)


REDUCTIONS: Final[Mapping[str, Reduction]] = {"all_pass": all_pass, "fraction": fraction}


def reduction(name: str, *, where: str = "") -> Reduction:
    """The reduction of this name; raises RecipeError with near matches."""
    if name not in REDUCTIONS:
        raise RecipeError(f"no reward is named {name!r}", where=where, allowed=near(name, REDUCTIONS))
    return REDUCTIONS[name]
