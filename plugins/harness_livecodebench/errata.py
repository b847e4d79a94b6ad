"""Problems that are known to be wrong: why, and who says so."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files


@cache
def errata() -> dict[str, str]:
    """Question id or title -> `multiple-answers`, `interactive` or `wrong-tests`."""
    content = tomllib.loads(files("harness_livecodebench").joinpath("errata.toml").read_text("utf-8"))
    return {name: kind for kind, names in content.items() if isinstance(names, dict) for name in names}
