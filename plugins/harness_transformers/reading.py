"""Naming what cannot be read of a model or a checkpoint, whichever library found out."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from harness.contract import DataError, HarnessError
from harness.recording import SESSION_FILE


@contextlib.contextmanager
def reading(what: str, path: Path) -> Iterator[None]:
    """Within its block `what` is read from `path`, a file or a folder.

    Raises:
        DataError: a file is missing, damaged or another's: in the words of the library that read it.
    """
    try:
        yield
    except HarnessError:
        raise
    except Exception as error:
        words = ": ".join([type(error).__name__, *str(error).strip().splitlines()[:1]])
        raise DataError(f"{what} cannot be read: {words}", where=str(path), hint=_way_out(path)) from error


def _way_out(path: Path) -> str:
    """The next step: a checkpoint cannot be made again, a model can."""
    if any((folder / SESSION_FILE).is_file() for folder in (path, *path.parents[:2])):
        return "restore the folder from a copy; a run cannot go on without its last checkpoint"
    return "make or download the folder anew"
