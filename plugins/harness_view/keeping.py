"""The indexes of the runs that are looked at, kept up with their ledgers."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

from harness.readout import Run, SampleIndex, run_of
from harness_view.shelf import Place

#: How long a page waits for what a ledger has gained, in seconds; the rest is indexed behind it.
PATIENCE = 0.3


class Builder:
    """Builds indexes in a process of its own, one at a time."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._folder: Path | None = None
        self._starting = threading.Lock()

    def is_at(self, folder: Path) -> bool:
        """Whether it builds the index of this run now."""
        with self._starting:
            return self._busy() and self._folder == folder

    def start(self, folder: Path) -> None:
        """Begin with this run, unless it is busy: whoever looks again asks again."""
        with self._starting:
            if not self._busy():
                command = [sys.executable, "-m", "harness_view.building", str(folder)]
                self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                self._folder = folder

    def _busy(self) -> bool:
        return self._process is not None and self._process.poll() is None


class Kept:
    """A run's index and what was read through it."""

    def __init__(self, place: Place, builder: Builder) -> None:
        self.place = place
        self.index = SampleIndex(place.folder)
        self._builder = builder
        self._keeping = threading.Lock()
        self._run: tuple[int, Run] | None = None

    def keep_up(self, among: int = 1) -> float:
        """Index what is new; returns how much of the ledger the page can show, in [0, 1].

        Args:
            among: runs that share the page's patience.

        Raises:
            LedgerError: there is no ledger, or it is damaged.
        """
        folder = self.place.folder
        with self._keeping:
            if not self._builder.is_at(folder):
                if self.index.catch_up(PATIENCE / among):
                    return 1.0
                self._builder.start(folder)
            return self.index.share()

    def run(self) -> Run:
        """The run as far as it is indexed."""
        with self.index.reader() as db:
            read_to = self.index.read_to(db)
        if self._run is None or self._run[0] != read_to:
            place = self.place
            self._run = read_to, run_of(self.index.events(), place.folder, place.arm, place.seed)
        return self._run[1]


class Keeper:
    """The indexes by run."""

    def __init__(self) -> None:
        self._kept: dict[Path, Kept] = {}
        self._builder = Builder()
        self._adding = threading.Lock()

    def of(self, place: Place) -> Kept:
        with self._adding:
            return self._kept.setdefault(place.folder, Kept(place, self._builder))
