"""Checkpoints on disk: complete or not there, kept by a rule, never filling the disk.

A checkpoint is written into a scratch folder beside its final name, synced, and renamed: a folder
under `checkpoints/` is whole.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import msgspec

from harness.contract.errors import UNPARSABLE, LedgerError, TrainingError

#: Where a checkpoint's folder has the state of its session.
SESSION_FILE = "session.json"


class CheckpointStore:
    """The checkpoints of one run."""

    def __init__(self, run_folder: Path, *, keep: int, min_free_gb: float) -> None:
        """
        Args:
            keep: checkpoints kept of a stage that goes on; its last one always stays.
            min_free_gb: below this much free disk nothing is written.
        """
        self._run, self._keep, self._min_free_gb = run_folder, keep, min_free_gb
        self._folder = run_folder / "checkpoints"
        if self._folder.is_dir():
            for scratch in self._folder.glob(".*"):
                shutil.rmtree(scratch)

    @staticmethod
    def name(stage: str, step: int) -> str:
        return f"{stage}-{step:06d}"

    def begin(self, stage: str, step: int) -> Path:
        """A fresh scratch folder to write into.

        Raises:
            TrainingError: too little free disk.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(self._folder).free / 1e9
        if free < self._min_free_gb:
            raise TrainingError(
                f"{free:.1f} GB of disk are free, less than checkpoints.min_free_gb = {self._min_free_gb}",
                where=str(self._folder),
                hint="make room and go on with 'harness run --resume'; nothing is lost",
            )
        scratch = self._folder / f".{self.name(stage, step)}"
        if scratch.exists():
            shutil.rmtree(scratch)
        scratch.mkdir()
        return scratch

    def finish(self, scratch: Path, state: dict[str, Any]) -> str:
        """Add the session's state, make the folder durable under its name; returns its path in the run."""
        (scratch / SESSION_FILE).write_bytes(msgspec.json.encode(state))
        for path in sorted(scratch.rglob("*")):
            if path.is_file():
                _sync(path)
        _sync(scratch)
        final = scratch.with_name(scratch.name[1:])
        if final.exists():
            shutil.rmtree(final)
        scratch.rename(final)
        _sync(self._folder)
        return str(final.relative_to(self._run))

    def prune(self, stage: str) -> None:
        """Remove the oldest checkpoints of a stage beyond `keep`."""
        names = sorted(
            p for p in self._folder.glob(f"{stage}-*") if p.name.removeprefix(f"{stage}-").isdigit()
        )
        for path in names[: -self._keep]:
            shutil.rmtree(path)

    def session_state(self, path: str) -> dict[str, Any]:
        """The session's state in a checkpoint."""
        file = self._run / path / SESSION_FILE
        try:
            return msgspec.json.decode(file.read_bytes(), type=dict[str, Any])
        except (FileNotFoundError, *UNPARSABLE) as error:
            raise LedgerError(
                f"the checkpoint cannot be read: {error}",
                where=str(file),
                hint="restore the folder; a run cannot go on without its last checkpoint",
            ) from None


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
