"""Temporary folders that are not left behind, not even by a process that is killed.

A folder is locked by the process that made it, and a lock ends with its process. Whoever makes the next
folder of that name removes those that nobody has locked.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
import weakref
from pathlib import Path


class Scratch:
    """A folder of this process's own, until `close` or the process's end."""

    def __init__(self, name: str, where: Path | None = None) -> None:
        """
        Args:
            name: says what it is for; folders of another name are not touched.
            where: folder that it is made in; the system's temporary folder, if none is named.
        """
        where, prefix = where or Path(tempfile.gettempdir()), f".{name}-scratch-"
        for entry in os.scandir(where):
            if entry.name.startswith(prefix) and entry.is_dir(follow_symlinks=False):
                _remove_unused(Path(entry.path))
        while (lock := _locked(path := Path(tempfile.mkdtemp(prefix=prefix, dir=where)))) is None:
            pass  # another process took it for one that was left
        self.path = path
        self.close = weakref.finalize(self, _remove, path, lock)


def _remove_unused(path: Path) -> None:
    # Another user's cannot be opened, and is that user's to remove.
    with contextlib.suppress(PermissionError):
        lock = _locked(path)
        if lock is not None:
            _remove(path, lock)


def _locked(path: Path) -> int | None:
    """A lock on the folder; None if somebody has one, or has removed it."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(descriptor), os.stat(path)):
            return descriptor
    except (BlockingIOError, FileNotFoundError):
        pass
    except BaseException:
        os.close(descriptor)
        raise
    os.close(descriptor)
    return None


def _remove(path: Path, lock: int) -> None:
    # It may have been renamed, which makes it something else's.
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(path)
    os.close(lock)
