"""verl's metrics of a step as numbers that JSON can hold.

JSON has no name for what is not finite. The driver must learn that a loss is not: it ends the stage for
that. Others of verl's are not finite in healthy steps (a correlation where nothing varies), and are left out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from numbers import Real
from typing import Any, Final

#: What a step is judged by.
JUDGED: Final = ("actor/loss", "actor/grad_norm", "actor/kl_loss")


def sendable(metrics: Mapping[str, Any]) -> dict[str, float | str]:
    """Numbers among verl's metrics; of those a step is judged by, `nan`, `inf` and `-inf` are text."""
    found: dict[str, float | str] = {}
    for name, value in metrics.items():
        if isinstance(value, Real):
            number = float(value)
            if math.isfinite(number):
                found[name] = number
            elif name in JUDGED:
                found[name] = str(number)
    return found
