"""What TRL imports makes temporary folders, and they do not stay."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("trl")


def ended(tmp_path: Path, code: str) -> int:
    """The exit code of a process that imported the trainer, with a temporary folder of its own."""
    return subprocess.run(
        [sys.executable, "-c", f"import os, signal, harness_trl.trainer; {code}"],
        env={**os.environ, "TMPDIR": str(tmp_path)}, check=False, timeout=300,
    ).returncode  # fmt: skip


def scratch(tmp_path: Path) -> list[Path]:
    """What is there besides torch's cache, which stays."""
    return [path for path in tmp_path.iterdir() if not path.name.startswith("torchinductor")]


def test_a_killed_process_leaves_one_folder_and_the_next_one_none(tmp_path: Path) -> None:
    assert ended(tmp_path, "os.kill(os.getpid(), signal.SIGKILL)") == -signal.SIGKILL
    (left,) = scratch(tmp_path)
    assert left.name.startswith(".trl-imports-scratch-")
    assert ended(tmp_path, "pass") == 0
    assert not scratch(tmp_path)
