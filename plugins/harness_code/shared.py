"""One sandbox for all verifiers of a process that ask for the same."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from harness.contract import Sandbox

Build = Callable[[str, str, Mapping[str, Any]], Any]


@dataclass(slots=True)
class _Entry:
    sandbox: Sandbox
    users: int


_entries: dict[str, _Entry] = {}
_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to use a sandbox until it is released."""

    sandbox: Sandbox
    key: str

    def release(self) -> None:
        """Give it back; the last user's release closes it."""
        with _lock:
            entry = _entries[self.key]
            entry.users -= 1
            if entry.users:
                return
            del _entries[self.key]
        entry.sandbox.close()


def lease(build: Build, kind: str, options: Mapping[str, Any]) -> Lease:
    """Use the process's sandbox of this kind and these options, starting it if need be."""
    key = json.dumps([kind, dict(options)], sort_keys=True, default=str)
    with _lock:
        if key not in _entries:
            _entries[key] = _Entry(build("sandboxes", kind, options), 0)
        _entries[key].users += 1
        return Lease(_entries[key].sandbox, key)
