"""Where a path in a recipe points.

A relative path starts at the recipe's folder; `data:` starts at the folder of local benchmark data that
the environment variable HARNESS_DATA names, so that one recipe works on every machine that has the data.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from harness.contract.errors import DataError, near
from harness.contract.protocols import BuildContext

#: Start of paths into the data folder.
DATA: Final = "data:"


def resolve(path: str, context: BuildContext, *, where: str) -> Path:
    """The file that a recipe's path means.

    Args:
        path: absolute, relative to the recipe, or `data:<path>`.
        where: the option that holds it, for messages.

    Raises:
        DataError: HARNESS_DATA is not set, or there is no such file; near file names are given.
    """
    if path.startswith(DATA):
        if context.data is None:
            raise DataError(
                f"{path!r} lies in the data folder, and HARNESS_DATA is not set",
                where=where,
                hint="export HARNESS_DATA=<folder with the benchmark data>",
            )
        file = context.data / path.removeprefix(DATA).lstrip("/")
    else:
        file = context.base / os.path.expanduser(path)
    if not file.is_file():
        siblings = (
            sorted(p.name for p in file.parent.iterdir() if p.is_file()) if file.parent.is_dir() else []
        )
        raise DataError(
            f"there is no file {str(file)!r}",
            where=where,
            allowed=near(file.name, siblings) if siblings else "",
        )
    return file
