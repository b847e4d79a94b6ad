"""Where real data is, for tests that use it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.places import DATA


def data_folder() -> Path:
    """The folder of real data, or a skip that says why."""
    if not DATA.is_dir():
        pytest.skip(f"no real data: {DATA} is absent; HARNESS_DATA names another folder")
    return DATA
