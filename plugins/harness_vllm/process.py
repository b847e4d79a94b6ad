"""The driver's end of a replica: a child process, a thread that writes to it and one that listens."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from time import monotonic
from typing import Any, Final, Literal

import msgspec

#: Lines of its log that a replica's death is explained with.
TAIL: Final = 12
CLOSE_SECONDS: Final = 5.0

Message = dict[str, Any]


class Replica:
    """One child process. `state` changes in the listening thread: `starting`, `ready`, `dead`."""

    def __init__(self, number: int, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self.number, self._command, self._environment = number, command, environment
        self.deaths = 0
        #: Requests that vLLM runs at once, once it is ready.
        self.seqs = 0
        self._listener: Callable[[Replica, Message], object] | None = None
        self._lock = threading.Lock()
        self.start()

    def start(self) -> None:
        """Start the process, again if it died; `state` is `starting` until it says that it is ready."""
        self.state: Literal["starting", "ready", "dead"] = "starting"
        #: When it last said anything.
        self.heard = monotonic()
        self.settled = threading.Event()
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process
        self.process = subprocess.Popen(
            self._command, env=self._environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=self._log, start_new_session=True,
        )  # fmt: skip
        self._outbox: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        threading.Thread(target=self._write, args=(self.process, self._outbox), daemon=True).start()
        threading.Thread(target=self._listen, args=(self.process,), daemon=True).start()

    def listen(self, listener: Callable[[Replica, Message], object] | None) -> None:
        """Hand messages to `listener`, from a thread; its death is `{"dead": true}`."""
        with self._lock:
            self._listener = listener

    def send(self, message: Message) -> None:
        """Queue a line; a process that no longer reads never blocks the caller."""
        self._outbox.put(message)

    def kill(self) -> None:
        """End the process and its children at once; the listener hears of it."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def close(self) -> None:
        """End the input, and kill the process if it does not exit."""
        self.listen(None)
        self._outbox.put(None)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(CLOSE_SECONDS)
        self.kill()
        self._log.close()

    def last_words(self) -> str:
        """The end of what it wrote to standard error."""
        size = os.fstat(self._log.fileno()).st_size
        content = os.pread(self._log.fileno(), 1 << 16, max(0, size - (1 << 16)))
        return "\n    ".join(content.decode(errors="replace").strip().splitlines()[-TAIL:])

    def _write(self, process: subprocess.Popen[bytes], outbox: queue.SimpleQueue[Message | None]) -> None:
        assert process.stdin is not None
        # Its death is noticed by the listening thread; what was not sent is then asked elsewhere.
        with contextlib.suppress(BrokenPipeError), process.stdin as pipe:
            while (message := outbox.get()) is not None:
                pipe.write(msgspec.json.encode(message) + b"\n")
                pipe.flush()

    def _listen(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        with process.stdout as pipe:
            for line in pipe:
                try:
                    message = msgspec.json.decode(line)
                except msgspec.DecodeError:
                    break  # Torn by its death.
                if "ready" in message:
                    self.seqs = message["seqs"]
                    self.state = "ready"
                    self.settled.set()
                self._tell(message)
        # Children of its own may outlive it.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        self._outbox.put(None)
        self.state = "dead"
        self.settled.set()
        self._tell({"dead": True})

    def _tell(self, message: Message) -> None:
        self.heard = monotonic()
        with self._lock:
            if self._listener is not None:
                self._listener(self, message)
