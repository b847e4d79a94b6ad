"""The keeper of a verl job: whatever ends the command, nothing of it is left."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from harness_verl.job import package

from tests.support.waiting import alive

#: Starts a process in a session of its own, which ignores what can be ignored, and waits.
FAMILY = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import signal, time; signal.signal(15, signal.SIG_IGN); "
    "signal.signal(1, signal.SIG_IGN); time.sleep(600)"], start_new_session=True)
print(child.pid, flush=True)
{then}
"""


def start_keeper(then: str) -> tuple[subprocess.Popen[str], int]:
    keeper_file = str(package("harness_verl_worker") / "keeper.py")
    command = [sys.executable, keeper_file, "/nowhere", sys.executable, "-c",
               FAMILY.format(then=then)]  # fmt: skip
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, int(process.stdout.readline())


@pytest.mark.parametrize("end", ["the command ends", "the parent goes", "it is told to"])
def test_nothing_outlives_the_keeper(end: str, tmp_path: Path) -> None:
    # The command ends when its grandchild has been seen alive, not at some time.
    gate = tmp_path / "go"
    until_then = f"import os\nwhile not os.path.exists({str(gate)!r}): time.sleep(0.02)"
    process, grandchild = start_keeper(until_then if end == "the command ends" else "time.sleep(600)")
    assert alive(grandchild)
    gate.touch()
    if end == "the parent goes":
        assert process.stdin is not None
        process.stdin.close()
    elif end == "it is told to":
        process.send_signal(signal.SIGTERM)
    code = process.wait(timeout=120)
    assert code == {"the command ends": 0, "the parent goes": 130, "it is told to": 143}[end]
    assert not alive(grandchild)


def test_shared_memory_of_a_job_goes_with_it() -> None:
    hold = "from multiprocessing import shared_memory, resource_tracker as t; import time; " \
        "s = shared_memory.SharedMemory(create=True, size=64); t.unregister(s._name, 'shared_memory'); " \
        "print(s.name, flush=True); time.sleep(600)"  # fmt: skip
    command = [
        sys.executable,
        str(package("harness_verl_worker") / "keeper.py"),
        "/nowhere",
        sys.executable,
        "-c",
        hold,
    ]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    segment = Path("/dev/shm") / process.stdout.readline().strip()
    assert segment.exists()
    process.send_signal(signal.SIGTERM)
    process.wait(timeout=120)
    assert not segment.exists()
