"""The driver's end of the socket: commands out to the job, completions in from its reward workers.

No worker can draw tasks or end a step. `next` hands the job's controller its next command and takes the
last one's result; `phase` says what it is at; reward workers `offer` completions and wait for their
`outcomes`. The session itself is used by the driver's own thread alone.
"""

from __future__ import annotations

import queue
import threading
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any, Final

import msgspec

from harness.training import StageSession
from harness_verl.server import LineServer

#: Seconds after which a call that waits answers with nothing, so that a client that went is noticed.
PATIENCE: Final = 20.0
#: What a job is at until its first command.
START: Final = "start"


@dataclass(frozen=True, slots=True)
class Arrival:
    """One sample as it arrives from the job: a completion, or why there is none."""

    uid: str
    sample: int
    ids: tuple[int, ...]
    logprobs: tuple[float, ...]
    #: Why there is none.
    fault: str = ""


class Hub(LineServer):
    """One job's. Calls of the job are answered in threads of their own; the driver uses the rest."""

    def __init__(self, session: StageSession | None, address: str, *, reached: str | None = None) -> None:
        """
        Args:
            session: of the stage under way, if one is.
            address: where to listen (see `harness_verl.server`).
            reached: the host by which the job reaches it, if that is another than it is bound to.
        """
        self._commands: queue.SimpleQueue[Mapping[str, Any]] = queue.SimpleQueue()
        self.results: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.completions: queue.SimpleQueue[Arrival] = queue.SimpleQueue()
        #: By worker, outcomes that it has not fetched yet.
        self._outcomes: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
        self._senders: dict[tuple[str, int], str] = {}
        self._changed = threading.Condition()
        self._closed = False
        #: Whether a command has no result yet.
        self.busy = False
        #: When the job was last heard of, and what it was at.
        self.heard = monotonic()
        self.phase = START
        self.session = session
        super().__init__(address)
        if reached is not None:
            self.address = f"tcp:{reached}:{self.address.rpartition(':')[2]}"

    def command(self, name: str, **arguments: Any) -> None:
        """Queue a command for the job's controller."""
        self.heard, self.phase, self.busy = monotonic(), name, True
        self._commands.put({"do": name, "with": arguments})

    def progress(self, did: str) -> None:
        """Tell the session, and so the stage's watchdog, that the job gets on; the driver's own thread."""
        if self.session is not None:
            self.session.progress(did)

    def settle(self, uid: str, outcomes: Sequence[Mapping[str, Any]]) -> None:
        """Tell reward workers what a group's samples are worth, in the order of the samples."""
        with self._changed:
            for sample, outcome in enumerate(outcomes):
                worker = self._senders.pop((uid, sample), None)
                if worker is not None:
                    self._outcomes[worker].append({"uid": uid, "sample": sample, **outcome})
            self._changed.notify_all()

    def answer(self, line: bytes) -> bytes:
        """One of the job's four calls; the session is the driver's own to use."""
        try:
            call = msgspec.json.decode(line, type=dict[str, Any])
            name, arguments = call.get("call"), call.get("args", [])
            own: dict[str, Callable[..., Any]] = {
                "next": self._next, "phase": self._phase, "offer": self._offer, "outcomes": self._fetch,
            }  # fmt: skip
            handler = own.get(str(name))
            if handler is None:
                raise ValueError(f"no such call: {name!r}, only {', '.join(own)}")
            return msgspec.json.encode({"ok": handler(*arguments)})
        except (ValueError, TypeError, KeyError) as error:
            return msgspec.json.encode({"error": str(error), "kind": type(error).__name__})

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._commands.put({"do": "stop", "with": {}})
        super().close()

    def _next(self, result: Any) -> Mapping[str, Any]:
        self.heard = monotonic()
        self.results.put(result)
        return self._commands.get()

    def _phase(self, name: str) -> None:
        self.heard, self.phase = monotonic(), name

    def _offer(self, worker: str, samples: Sequence[Mapping[str, Any]]) -> None:
        self.heard = monotonic()
        with self._changed:
            for sample in samples:
                self._senders[sample["uid"], sample["sample"]] = worker
        for sample in samples:
            self.completions.put(msgspec.convert(sample, Arrival))

    def _fetch(self, worker: str) -> list[Mapping[str, Any]]:
        """What came for a worker within some patience; a refusal when nothing comes any more."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._outcomes[worker], PATIENCE)
            outcomes = self._outcomes.pop(worker, [])
            if self._closed and not outcomes:
                raise ValueError("the job is over")
            return outcomes
