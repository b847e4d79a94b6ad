"""What reads beside the flows: `harness view` with somebody who looks, and `harness board build`."""

from __future__ import annotations

import hashlib
import signal
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Sequence
from http.client import HTTPException
from pathlib import Path

from tests.support.kill_matrix.flows import Resumed
from tests.support.kill_matrix.place import PATIENCE, BrokenPromise, Place, names
from tests.support.kill_matrix.services import Service


class View(Service):
    """`harness view`, and somebody who looks at its pages as the ledgers grow."""

    def __init__(self, place: Place, flows: Sequence[Resumed]) -> None:
        command = [sys.executable, "-m", "harness", "view", str(place.runs), "--port"]
        super().__init__(place, lambda port: [*command, str(port)])
        self._flows = flows
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, name="reader", daemon=True)
        #: Pages that were seen, and the first that was not as it should be.
        self.pages, self.fault = 0, ""

    def open(self) -> None:
        self.start()
        self._thread.start()

    def close(self) -> None:
        self._ended.set()
        self._thread.join()
        self._read("/")
        self.stop(signal.SIGINT)
        self.check()

    def check(self) -> None:
        if self.fault:
            raise BrokenPromise(self.fault)

    def _look(self) -> None:
        seen: dict[Path, int] = {}
        boards = ""
        while not self._ended.wait(0.02) and not self.fault:
            for flow in self._flows:
                for path in flow.ledgers:
                    # A new page is worth a look when a tenth of the whole is new.
                    if path.stat().st_size > seen.get(path, 0) + flow.length // 10:
                        seen[path] = path.stat().st_size
                        self._read("/")
                        self._read(f"/run/{path.parent.relative_to(path.parents[3])}".replace("/seed-", "/"))
            if self.said != boards:
                # Once from each view.
                boards = self.said
                self._read("/boards/index.html")

    def _read(self, path: str) -> None:
        said = self.said
        token = said.partition("token=")[2].strip()
        cookie = {"Cookie": f"harness_view_{self.port}={token}"}
        try:
            with urllib.request.urlopen(
                urllib.request.Request(self.url + path, headers=cookie), timeout=PATIENCE
            ) as answer:
                answer.read()
                self.pages += 1
        except (OSError, HTTPException) as error:
            # One that was killed, or is not up again, need not answer.
            if said and said == self.said:
                self.fault = f"view: {path}: {error}"


class Boards:
    """`harness board build`, again and again."""

    def __init__(self, place: Place, evaluation: Path) -> None:
        self._place, self._site = place, place.folder / "leaderboards" / "site"
        self._process: subprocess.Popen[str] | None = None
        #: Kills since the last site that was made, and those after which one was made that is the same.
        self.kills = self.same = 0
        place.finish(place.harness("board", "add", str(evaluation), "--board", "sums"), "harness board add")
        self.begin()
        assert self._process is not None
        place.finish(self._process, "harness board build")
        self._process = None
        self._expected: dict[str, str] = self._found()
        #: Bytes of the site.
        self.length: int = sum(path.stat().st_size for path in self._site.rglob("*") if path.is_file())

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    def begin(self) -> None:
        if self._process is None:
            self._process = self._place.harness("board", "build")

    def written(self) -> int:
        """Bytes that this making of the site has written so far."""
        try:
            told = Path(f"/proc/{self.pid}/io").read_text()
        except (FileNotFoundError, ProcessLookupError):
            return 0
        return int(told.partition("wchar: ")[2].partition("\n")[0])

    def tend(self) -> bool:
        """Compare a site that is made; whether one is being made."""
        if self._process is None or (code := self._process.poll()) is None:
            return self._process is not None
        self._process = None
        if code == -signal.SIGKILL:
            self.begin()
            return True
        if code or self._found() != self._expected:
            raise BrokenPromise(f"the site is not the same (exit code {code}): {self._place.tail()}")
        self.same, self.kills = self.same + self.kills, 0
        return False

    def _found(self) -> dict[str, str]:
        return {
            name: hashlib.sha256((self._site / name).read_bytes()).hexdigest() for name in names(self._site)
        }
