"""Real sandbox hosts for tests: `harness sandbox serve` in processes of their own, which may be killed."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.support.sandboxes import contained

TOKEN = "a-token-of-the-tests-0123456789"
VARIABLE = "HARNESS_SANDBOX_TOKEN"


@dataclass
class Host:
    """A front that serves."""

    process: subprocess.Popen[str]
    url: str

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def ask(
        self, path: str, *, method: str = "GET", body: bytes | None = None, token: str | None = TOKEN
    ) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of one plain request."""
        headers = {"Authorization": f"Bearer {token}"} if token is not None else {}
        request = urllib.request.Request(self.url + path, data=body, headers=headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, dict(answer.headers), answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, dict(error.headers), error.read()

    def status(self) -> Any:
        code, _, body = self.ask("/v1/status")
        assert code == 200, body
        return json.loads(body)


def command(*words: str) -> list[str]:
    code = "import sys; from harness.cli import main; sys.exit(main(sys.argv[1:]))"
    return [sys.executable, "-c", code, "sandbox", "serve", *words]


@contextlib.contextmanager
def host(
    *words: str, kind: str = "", slots: int = 1, port: int = 0, token: str = TOKEN, **environment: str
) -> Iterator[Host]:
    """A host of the kind that needs no engine, unless told otherwise."""
    options = [
        "--kind",
        kind or contained(),
        "--slots",
        str(slots),
        "--port",
        str(port),
        "--memory-mb",
        "512",
    ]
    process = subprocess.Popen(
        command(*options, *words),
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, VARIABLE: token, **environment},
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert " at http" in line, line
        yield Host(process, line.partition(" at ")[2].split(",")[0])
    finally:
        with contextlib.suppress(ProcessLookupError):
            # One that a test stopped would not hear anything else.
            os.kill(process.pid, signal.SIGCONT)
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        assert process.stdout is not None
        process.stdout.close()
