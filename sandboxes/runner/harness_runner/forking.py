"""Forking the server, which has one thread, without what Python does after a fork for those that have many.

`os.fork` runs what modules registered for the child: `threading` makes its locks anew. In a child of the
server no lock is held and no other thread was lost, and the few microseconds of that work touch 150 pages,
each of which the kernel has to copy: it costs as much as all else that a small job does. A program's own
forks are Python's, with everything that belongs to them.
"""

from __future__ import annotations

import _random
import ctypes
import os
import sys

_fork = ctypes.PyDLL(None, use_errno=True).fork


def fork() -> int:
    """As `os.fork`, for a process without threads: 0 in the child, which draws other random numbers.

    Raises:
        OSError: there is no room for another process.
    """
    pid: int = _fork()
    if pid < 0:
        raise OSError(ctypes.get_errno(), f"fork: {os.strerror(ctypes.get_errno())}")
    if pid == 0 and "random" in sys.modules:
        # What `random` would have done: the generator behind its functions gets a seed from the kernel.
        _random.Random.seed(sys.modules["random"]._inst)
    return pid
