"""Temporary folders: their process's own, and gone with it, however it ends."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from harness.support.scratch import Scratch

HOLD = """
import sys
from pathlib import Path
from harness.support.scratch import Scratch
scratch = Scratch("thing", Path(sys.argv[1]))
(scratch.path / "file").write_text("kept")
print(scratch.path, flush=True)
sys.stdin.read()
"""


def holder(where: Path) -> tuple[subprocess.Popen[str], Path]:
    """A process with a folder of its own, which ends when its standard input does."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(where)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


def test_what_a_killed_process_left_is_removed_and_what_a_living_one_has_is_not(tmp_path: Path) -> None:
    (killed, left), (living, used) = holder(tmp_path), holder(tmp_path)
    other = Scratch("other", tmp_path)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    assert left.is_dir()
    mine = Scratch("thing", tmp_path)
    assert not left.exists()
    assert (used / "file").read_text() == "kept"
    living.communicate("")
    assert sorted(tmp_path.iterdir()) == sorted([mine.path, other.path])
    mine.close()
    other.close()
    assert not list(tmp_path.iterdir())


def test_one_that_was_renamed_stays(tmp_path: Path) -> None:
    scratch = Scratch("thing", tmp_path)
    scratch.path.rename(tmp_path / "final")
    scratch.close()
    assert (tmp_path / "final").is_dir()


def test_a_folder_that_is_dropped_is_removed(tmp_path: Path) -> None:
    Scratch("thing", tmp_path)
    assert not list(tmp_path.iterdir())
