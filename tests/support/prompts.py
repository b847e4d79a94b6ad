"""Prompts whose length says how hard they are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from harness.contract import Message


def sums(rng: np.random.Generator, terms: int) -> Sequence[Message]:
    """A sum of so many random digits."""
    return (Message("user", "+".join(str(n) for n in rng.integers(0, 10, terms)) + "="),)
