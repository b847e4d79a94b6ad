"""What a call is refused with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from harness.contract.errors import HarnessError


def refusal(call: Callable[[], Any]) -> str:
    """The named error that a call raises, as text; empty if it returns. Other errors go on."""
    try:
        call()
    except HarnessError as error:
        return str(error)
    return ""
