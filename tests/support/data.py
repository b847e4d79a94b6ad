"""Where real data is, for tests that use it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def data_folder() -> Path:
    """The folder of real data, or a skip that says why."""
    given = os.environ.get("HARNESS_DATA")
    folder = Path(given) if given else Path(__file__).resolve().parents[2].parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no real data: HARNESS_DATA is unset and {folder} is absent")
    return folder
