"""Folders of runs that get the next free number: `runs/<name>-1`, `runs/<name>-2`, ..."""

from __future__ import annotations

from pathlib import Path

from harness.contract.errors import RecipeError


def next_folder(root: Path, name: str) -> Path:
    """Make `<root>/<name>-<n>` with the first free n from 1, and `root` itself if it is missing.

    Raises:
        RecipeError: `root` is a file, or cannot be made or written to.
    """
    try:
        root.mkdir(parents=True, exist_ok=True)
        number = 1
        while True:
            folder = root / f"{name}-{number}"
            try:
                folder.mkdir()
                return folder
            except FileExistsError:
                number += 1
    except OSError as error:
        what = "is a file, not a folder" if root.is_file() else f"cannot hold runs: {error.strerror or error}"
        raise RecipeError(what, where=str(root), hint="name a folder: --runs FOLDER") from None
