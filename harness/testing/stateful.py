"""State through JSON, as checkpoints carry it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from harness.contract.members import member


def reborn(part: Any, make: Callable[[], Any]) -> Any:
    """A new object with the state of another, which went through JSON; one without state is made anew.

    Raises:
        AssertionError: the state is not JSON-like, or cannot be taken back.
    """
    # The optional members of every kind with state are the same ones.
    kept = member("gates", part, "state_dict")()
    try:
        through = json.loads(json.dumps(kept))
    except (TypeError, ValueError) as error:
        raise AssertionError(f"state_dict gives what JSON cannot hold: {error}") from error
    fresh = make()
    try:
        member("gates", fresh, "load_state_dict")(through)
    except AttributeError as error:
        raise AssertionError(f"it has state_dict, and load_state_dict fails: {error}") from error
    return fresh
