"""Strata as a recipe writes them: `"1-40"`, `"1-8,10,12"`, `[1, 2, 4]`."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator

_PART = re.compile(r"(\d+)(?:\s*-\s*(\d+))?")


def parse_strata(value: Any) -> tuple[int, ...]:
    """The levels in ascending order, each once; raises ValueError saying which part does not fit."""
    parts = value.split(",") if isinstance(value, str) else value
    if isinstance(parts, int) and not isinstance(parts, bool):
        parts = [parts]
    if not isinstance(parts, list | tuple):
        raise ValueError(f"{value!r} is not a list of levels such as '1-8,10'")
    levels: set[int] = set()
    for part in parts:
        match = _PART.fullmatch(str(part).strip())
        if match is None or isinstance(part, bool | float):
            raise ValueError(f"{part!r} is neither a level nor a range such as '1-40'")
        low, high = int(match[1]), int(match[2] or match[1])
        if low > high:
            raise ValueError(f"range {part!r} runs backwards")
        if high - low >= 10_000:
            raise ValueError(f"range {part!r} is longer than 10000 levels")
        levels.update(range(low, high + 1))
    if not levels:
        raise ValueError("no level is named")
    return tuple(sorted(levels))


#: A pydantic field that accepts any of the forms above.
Strata = Annotated[
    tuple[int, ...], BeforeValidator(parse_strata, json_schema_input_type=str | int | list[str | int])
]
