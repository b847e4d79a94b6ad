"""verl's metrics of a step as numbers that JSON can hold.

JSON cannot write a number that is not finite. The driver must learn of a loss that is not finite,
because it ends the stage for that. Other metrics of verl are not finite in healthy steps (a correlation
of values that do not vary, for example) and are left out.
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
    numbers: dict[str, float | str] = {}
    for name, value in metrics.items():
        if isinstance(value, Real):
            number = float(value)
            if math.isfinite(number):
                numbers[name] = number
            elif name in JUDGED:
                numbers[name] = str(number)
    return numbers
