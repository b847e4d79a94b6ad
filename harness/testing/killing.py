"""Recipes run by the command, unbroken or killed with SIGKILL in the middle and resumed."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from harness.recording.ledger import Line
from harness.testing.workbench import Recorded

#: Seconds between two looks at a ledger that grows.
LOOK: Final = 0.01
#: Where a study's runs have their ledgers, below the folder that the command was started in.
LEDGERS: Final = "runs/*/*/seed-*/ledger.jsonl"


def run_recipe(recipe: Path, *words: str, folder: Path) -> Recorded:
    """Run a recipe to its end, as `harness run` does.

    Args:
        recipe: the recipe, with one arm and one seed left by `words`.
        words: further words of the command, such as `--set`, `seeds=[1]`, `--arm`, `mine`.
        folder: where the run, its output and its cache go; made if it is not there.

    Raises:
        AssertionError: it failed, with what it wrote.
    """
    _done(_start(folder, str(recipe), *words, "--runs", "runs"), folder)
    return Recorded(_ledger(folder).parent)


def run_killed(recipe: Path, *words: str, folder: Path, once: Callable[[Line], bool]) -> Recorded:
    """Run a recipe, kill all of its processes with SIGKILL in the middle, and resume it to its end.

    Args:
        recipe: as for `run_recipe`, and so are `words` and `folder`.
        once: whether a line of the ledger is the one to kill at. Leave enough to do after it: a run that
            ends before it can be killed proves nothing, and is an error.

    Raises:
        AssertionError: it ended before it was killed, or failed, with what it wrote.
    """
    process = _start(folder, str(recipe), *words, "--runs", "runs")
    try:
        for line in _lines(process, folder):
            if once(line):
                break
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        code = process.wait()
    assert code == -signal.SIGKILL, f"it ended before it was killed: {_output(folder)}"
    ledger = _ledger(folder)
    with ledger.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # the run itself, which nobody waits for, is gone as well
    _done(_start(folder, "--resume", str(ledger.parents[2])), folder)
    killed = Recorded(ledger.parent)
    assert killed.lines("resumed"), f"it was over when it was killed: {_output(folder)}"
    return killed


def _start(folder: Path, *words: str) -> subprocess.Popen[bytes]:
    """`harness run` with these words, in a process group of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    with _log(folder).open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "harness", "run", *words],
            cwd=folder,
            env={**os.environ, "HARNESS_CACHE": str(folder / "cache")},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _done(process: subprocess.Popen[bytes], folder: Path) -> None:
    try:
        code = process.wait()
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    assert code == 0, f"harness run ended with {code}: {_output(folder)}"


def _lines(process: subprocess.Popen[bytes], folder: Path) -> Iterator[Line]:
    """The lines of the run's ledger as they are written, until the process ends."""
    read, torn = 0, b""
    while process.poll() is None:
        for ledger in [*folder.glob(LEDGERS)][:1]:
            with ledger.open("rb") as file:
                file.seek(read)
                new = file.read()
            read += len(new)
            *whole, torn = (torn + new).split(b"\n")
            for line in whole:
                yield json.loads(line)
        time.sleep(LOOK)


def _ledger(folder: Path) -> Path:
    ledgers = sorted(folder.glob(LEDGERS))
    assert len(ledgers) == 1, f"{len(ledgers)} runs; leave one arm and one seed: --arm NAME --set 'seeds=[1]'"
    return ledgers[0]


def _log(folder: Path) -> Path:
    return folder / "out.txt"


def _output(folder: Path) -> str:
    return _log(folder).read_text(encoding="utf-8", errors="replace")
