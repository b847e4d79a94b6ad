"""Where the files beside the code are: in the package when installed, under `sandboxes/` in a checkout."""

from __future__ import annotations

from pathlib import Path

from harness.contract import DataError

_PLACES = (Path(__file__).parent / "files", Path(__file__).parents[2] / "sandboxes")


def folder(name: str) -> Path:
    """A folder of assets, such as `canaries`; raises DataError if this installation lacks it."""
    for place in _PLACES:
        if (place / name).is_dir():
            return place / name
    raise DataError(
        f"no sandbox asset is named {name!r}", where=str(_PLACES[0]), hint="install the wheel again"
    )
