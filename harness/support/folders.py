"""Folders of this machine that runs share: the cache, and local benchmark data."""

from __future__ import annotations

import os
from pathlib import Path

from harness.contract.errors import RecipeError


def cache_folder() -> Path:
    """Where converted models and downloads are kept (`HARNESS_CACHE`, else under `XDG_CACHE_HOME`)."""
    if os.environ.get("HARNESS_CACHE"):
        return Path(os.environ["HARNESS_CACHE"])
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "harness"


def data_folder() -> Path | None:
    """The folder of local benchmark data, by `HARNESS_DATA`; raises RecipeError if it is not there."""
    value = os.environ.get("HARNESS_DATA")
    if not value:
        return None
    path = Path(value)
    if not path.is_dir():
        raise RecipeError("is not a folder", where=f"HARNESS_DATA={value}")
    return path
