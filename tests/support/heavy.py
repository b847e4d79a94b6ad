"""What heavy tests share: vLLM's environment, SmolLM2 on disk, a `vllm serve` process."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from harness_models.gguf import Gguf, GgufOptions

from harness.contract.protocols import ModelFiles
from harness.support.folders import cache_folder
from tests.support.builders import context
from tests.support.places import ROOT

#: As little memory as SmolLM2 needs, no compilation, no look at the network.
SMALL = {
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "TORCHDYNAMO_DISABLE": "1",
    "HF_HUB_OFFLINE": "1",
    "VLLM_NO_USAGE_STATS": "1",
}
START_SECONDS = 300


def vllm_python() -> str:
    """The interpreter of vLLM's environment."""
    return environment_python("vllm-cpu")


def environment_python(name: str) -> str:
    """The interpreter of a heavy environment, made if it is not there."""
    made = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "heavy-env"), name],
        stdout=subprocess.PIPE, check=True, text=True,
    )  # fmt: skip
    return made.stdout.strip()


def smollm2() -> ModelFiles:
    """SmolLM2-135M-Instruct in transformers' form, converted once a machine."""
    return Gguf(GgufOptions(), context(cache=cache_folder(), model="smollm2-135m-instruct")).load()


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@dataclass
class VllmServe:
    """A `vllm serve` process, in a group of its own.

    Started by its module: the command `vllm` of the CPU build looks for a distribution named `vllm`, which
    that build is not.
    """

    python: str
    files: ModelFiles
    port: int
    name: str = "smollm2"
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def start(self) -> None:
        """Start it and return at once."""
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process
        command = [
            self.python, "-m", "vllm.entrypoints.openai.api_server", "--model", str(self.files.path),
            "--served-model-name", self.name, "--host", "127.0.0.1", "--port", str(self.port),
            "--dtype", "float32", "--enforce-eager", "--max-model-len", "1024",
        ]  # fmt: skip
        self.process = subprocess.Popen(
            command, env=os.environ | SMALL, stdout=self._log, stderr=self._log, start_new_session=True
        )

    def wait(self) -> None:
        """Until it answers."""
        assert self.process is not None
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end and self.process.poll() is None:
            try:
                with urllib.request.urlopen(f"{self.url}/models", timeout=5):
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(0.5)
        self._log.seek(0)
        raise AssertionError(f"vllm serve did not start:\n{self._log.read().decode()[-4000:]}")

    def kill(self) -> None:
        """SIGKILL for the server and all that it started."""
        assert self.process is not None
        shared = shared_memory(self.process.pid)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        for segment in shared:
            segment.unlink(missing_ok=True)


def shared_memory(group: int) -> set[Path]:
    """The shared memory segments that the processes of a group hold: one that is killed leaves them."""
    segments: set[Path] = set()
    for process in Path("/proc").glob("[0-9]*"):
        # Processes come and go.
        with contextlib.suppress(OSError):
            if os.getpgid(int(process.name)) == group:
                maps = (process / "maps").read_text()
                segments |= {Path(name) for name in re.findall(r"/dev/shm/psm_\w+", maps)}
    return segments


def running_with(*settings: str) -> list[str]:
    """Commands of the processes that run with all these `NAME=value` in their environment, each cut short.

    A setting without a value, such as `NAME=`, stands for any.
    """
    commands = []
    for entry in Path("/proc").glob("[0-9]*"):
        # Processes come and go.
        with contextlib.suppress(OSError):
            environment = (entry / "environ").read_bytes()
            if all(setting.encode() in environment for setting in settings):
                commands.append((entry / "cmdline").read_text().replace("\0", " ").strip()[:120])
    return commands


@contextlib.contextmanager
def vllm_serve(python: str, files: ModelFiles) -> Iterator[VllmServe]:
    server = VllmServe(python, files, free_port())
    server.start()
    try:
        server.wait()
        yield server
    finally:
        server.kill()
