"""A Docker engine of a test's own, with its own data, socket and pid file, which it may kill."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest


@contextlib.contextmanager
def own_engine(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
    """Starts an engine of the test's own, which it may kill; DOCKER_HOST names it."""
    if os.geteuid() != 0 or shutil.which("dockerd") is None:
        pytest.skip("DOCKER: an engine of our own needs root and dockerd")
    folder = Path(tempfile.mkdtemp(prefix="engine-", dir="/var/tmp"))
    address = f"unix://{folder}/docker.sock"
    running: list[subprocess.Popen[bytes]] = []

    def start() -> subprocess.Popen[bytes]:
        # An engine that was killed left these, and would wait for who is named in them.
        for stale in (folder / "pid", folder / "exec/containerd/containerd.pid"):
            stale.unlink(missing_ok=True)
        command = [
            "dockerd", "--bridge=none", "--iptables=false", "--ip6tables=false", "--ip-forward=false",
            "--ip-masq=false", "-H", address, "--data-root", str(folder / "data"),
            "--exec-root", str(folder / "exec"), "--pidfile", str(folder / "pid"),
        ]  # fmt: skip
        log = (folder / "log").open("ab")
        process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        running.append(process)
        deadline = time.monotonic() + 60
        while subprocess.run(["docker", "-H", address, "info"], capture_output=True, check=False).returncode:
            assert process.poll() is None, (folder / "log").read_text()[-2000:]
            assert time.monotonic() < deadline, "the engine does not answer"
            time.sleep(0.1)
        return process

    monkeypatch.setenv("DOCKER_HOST", address)
    yield start
    for process in running:
        process.terminate()
        process.wait(timeout=60)
    # Shims outlive an engine that was killed; they carry its folder in their command line.
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdecimal() and f"{folder}/".encode() in (entry / "cmdline").read_bytes():
                os.kill(int(entry.name), signal.SIGKILL)
    for mount in sorted((m.split()[1] for m in Path("/proc/mounts").read_text().splitlines()), reverse=True):
        if mount.startswith(str(folder)):
            subprocess.run(["umount", "-l", mount], check=False)
    shutil.rmtree(folder, ignore_errors=True)
