"""Tests of problems, each problem's under the hash of its content.

A release's tests are gigabytes, so tasks hold a hash and a count, and graders read what they judge. What
a task asks for is therefore part of its own hash, wherever the cache lies.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
import zlib
from collections.abc import Sequence
from pathlib import Path

from harness.contract import DataError

#: Input and right output, as the data set writes them.
Test = tuple[str, str]


class Store:
    """Tests below a cache folder. Safe for many processes: files appear whole and never change."""

    def __init__(self, cache: Path) -> None:
        self._folder = cache / "livecodebench" / "tests"

    def put(self, tests: Sequence[Test]) -> str:
        """Keep tests, unless they are there; returns their name (32 hex digits)."""
        content = json.dumps(tests, ensure_ascii=True, separators=(",", ":")).encode("ascii")
        name = hashlib.blake2b(content, digest_size=16).hexdigest()
        path = self._path(name)
        if not path.is_file():
            path.parent.mkdir(parents=True, exist_ok=True)
            scratch = path.with_name(f"{path.name}.{os.getpid()}-{threading.get_ident()}")
            scratch.write_bytes(zlib.compress(content, 1))
            scratch.replace(path)
        return name

    def has(self, name: str) -> bool:
        return self._path(name).is_file()

    def get(self, name: str) -> list[Test]:
        """The tests of this name; raises DataError when they are not there, or not what they were."""
        path = self._path(name)
        try:
            content = zlib.decompress(path.read_bytes())
        except FileNotFoundError:
            raise DataError(
                "a problem's tests are not in the cache", where=str(path), hint="load the benchmark again"
            ) from None
        except zlib.error as error:
            raise DataError(f"cannot be read: {error}", where=str(path), hint="delete the file") from None
        if hashlib.blake2b(content, digest_size=16).hexdigest() != name:
            raise DataError("is not what its name says", where=str(path), hint="delete the file")
        return [(given, right) for given, right in json.loads(content)]

    def _path(self, name: str) -> Path:
        return self._folder / name[:2] / f"{name}.json.z"
