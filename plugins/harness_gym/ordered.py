"""Entries of data sets that follow the order of sets of strings, which is another in every Python process.

Such a data set makes other tasks of equal seeds in another process, so that a resumed run would draw other
ones. Its entries are made in a process of their own whose string hashes are fixed; what that gives is the
same everywhere. A data set that differs even there cannot be repeated at all.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import importlib.metadata
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from typing import IO, Any, Final, Literal

from harness.contract import PluginError

Entry = dict[str, Any]
Repeats = Literal["everywhere", "by-hash", "never"]

#: Versions of reasoning-gym whose data sets were all tried in processes with different string hashes.
KNOWN: Final = frozenset({"0.1.25"})
BY_HASH: Final = frozenset(
    {"ransom_note", "isomorphic_strings", "polynomial_multiplication", "word_ladder", "knight_swap"}
    | {"list_functions"}
)
NEVER: Final = frozenset({"codeio"})
#: Entries that are compared where nothing is known of a version.
TRIED: Final = (0, 1, 2, 3, 12345)


class Maker:
    """A process that makes entries under one fixed order. Thread-safe."""

    def __init__(self, hash_seed: int = 0) -> None:
        self._lock = threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "harness_gym.ordered"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=_environment(hash_seed),
        )  # fmt: skip

    def entry(self, dataset: str, config: bytes, number: int) -> Entry:
        """The entry of this number.

        Raises:
            RuntimeError: the data set cannot make one of it.
            PluginError: the process ended.
        """
        with self._lock:
            try:
                _write(self._process.stdin, (dataset, config, number))
                kind, made = _read(self._process.stdout)
            except (EOFError, OSError) as error:
                raise PluginError(
                    f"the process that makes entries of {dataset!r} ended: {type(error).__name__}",
                    where="reasoning-gym",
                ) from None
        if kind != "entry":
            raise RuntimeError(made)
        return dict(made)

    def close(self) -> None:
        """End the process."""
        with self._lock, contextlib.suppress(OSError):
            if self._process.stdin is not None:
                self._process.stdin.close()
            self._process.kill()
            self._process.wait()


@functools.lru_cache(maxsize=256)
def repeats(dataset: str, config: bytes) -> Repeats:
    """Where a data set makes the same entries of equal numbers.

    Known for the versions that were tried; of others some entries are made in three processes.
    """
    if importlib.metadata.version("reasoning-gym") in KNOWN:
        return "never" if dataset in NEVER else "by-hash" if dataset in BY_HASH else "everywhere"
    one, two, other = (_tried(dataset, config, hash_seed) for hash_seed in (0, 0, 1))
    return "never" if one != two else "by-hash" if one != other else "everywhere"


def _tried(dataset: str, config: bytes, hash_seed: int) -> list[str]:
    maker = Maker(hash_seed)
    try:
        return [_told(maker, dataset, config, number) for number in TRIED]
    finally:
        maker.close()


def _told(maker: Maker, dataset: str, config: bytes, number: int) -> str:
    try:
        entry = maker.entry(dataset, config, number)
    except RuntimeError as error:
        return f"no entry: {error}"
    return f"{entry['question']}\n{entry['answer']}"


#: The maker of each process: one that was inherited by a fork is somebody else's.
_makers: dict[int, Maker] = {}
_making = threading.Lock()


def ordered_entry(dataset: str, config: bytes, number: int) -> Entry:
    """An entry under the fixed order, from the maker of this process; see `Maker.entry`."""
    with _making:
        maker = _makers.get(os.getpid())
        if maker is None:
            maker = _makers[os.getpid()] = Maker()
            atexit.register(maker.close)
    return maker.entry(dataset, config, number)


def _environment(hash_seed: int) -> Mapping[str, str]:
    path = os.pathsep.join(part for part in sys.path if part)
    return {**os.environ, "PYTHONHASHSEED": str(hash_seed), "PYTHONPATH": path}


def _write(stream: IO[bytes] | None, value: Any) -> None:
    assert stream is not None
    stream.write(pickle.dumps(value))
    stream.flush()


def _read(stream: IO[bytes] | None) -> Any:
    assert stream is not None
    return pickle.load(stream)


def serve() -> None:
    """Make entries until nobody asks any more."""
    from harness_gym.generator import generator

    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a data set prints is no answer
    with contextlib.suppress(BrokenPipeError):  # nobody waits for it any more
        _serve(answers, generator)


def _serve(answers: IO[bytes], generator: Callable[[str, bytes], Any]) -> None:
    while True:
        try:
            dataset, config, number = _read(sys.stdin.buffer)
        except EOFError:
            return
        told: tuple[str, Any]
        try:
            told = "entry", generator(dataset, config).made_here(number)
        except Exception as error:  # noqa: BLE001 - told to who asked, who decides
            told = "error", f"{type(error).__name__}: {error}"
        _write(answers, told)


if __name__ == "__main__":
    serve()
