"""Train and held-out parts of sources whose contents cannot be numbered.

The problem's text decides, not its position: a problem that occurs twice lies on the same side both
times, under every seed, file name and wording around it.
"""

from __future__ import annotations

from typing import Literal

from harness.contract import seed_of

Split = Literal["train", "heldout"]


def split_of(problem: str, heldout_share: float) -> Split:
    """The part that a problem's text belongs to, white space aside."""
    position = seed_of("split", " ".join(problem.split())) / 2.0**63
    return "heldout" if position < heldout_share else "train"
