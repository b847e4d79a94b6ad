"""Items as text: a prompt says what the item is, so that any engine wrapper can carry it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from harness.contract import EngineError, Message, Task

#: The right answer to every item, and what the student writes when it fails.
RIGHT = "right"
WRONG = "wrong"

#: Length of every prompt, in tokens.
PROMPT_TOKENS = 8

_PROMPT = re.compile(r"Simulated item \S+ with a=(\S+) b=(\S+)")


def item(name: str, a: float, b: float, *, domain: str, stratum: str | None) -> Task:
    """An item of discrimination `a` and difficulty `b`, as a task."""
    return Task(
        id=name,
        prompt=(Message("user", f"Simulated item {name} with a={a!r} b={b!r}"),),
        verifier="exact",
        answer=RIGHT,
        domain=domain,
        stratum=stratum,
        meta={"a": a, "b": b},
    )


def parameters(messages: Sequence[Message]) -> tuple[float, float]:
    """Discrimination and difficulty; raises EngineError if the prompt is not a simulated item's."""
    match = _PROMPT.fullmatch(messages[-1].content) if messages else None
    if match is None:
        seen = messages[-1].content[:80] if messages else ""
        raise EngineError(
            f"the simulation answers simulated items only, not {seen!r}",
            where="engine 'sim'",
            hint='tasks.train = ["sim-irt"], or a real engine',
        )
    return float(match[1]), float(match[2])
