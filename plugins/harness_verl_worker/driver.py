"""The client of the driver's socket: one JSON object per line, both ways, over TCP or a Unix socket.

Processes find the driver by two environment variables, which Ray hands on to its workers.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import threading
import uuid
from collections.abc import Mapping
from typing import Any, Final

ADDRESS: Final = "HARNESS_VERL_ADDRESS"
TOKEN: Final = "HARNESS_VERL_TOKEN"
#: The thread of a reward worker that waits for outcomes.
LISTENER: Final = "harness-outcomes"


class DriverGone(RuntimeError):
    """The driver does not answer any more, or refused a call."""


def said(error: Exception) -> str:
    """An error in one line; Ray's end with what was raised on the other side."""
    lines = str(error).strip().splitlines()
    return ": ".join([type(error).__name__, *lines[-1:]])[:500]


class Driver:
    """One connection; calls are answered one after the other."""

    def __init__(self, *, timeout: float | None = None) -> None:
        """
        Args:
            timeout: seconds to wait for an answer, None for as long as the driver lives.

        Raises:
            DriverGone: nobody there, or a wrong token.
        """
        address = os.environ[ADDRESS]
        try:
            self._socket = _connect(address)
        except OSError as error:
            raise DriverGone(f"no driver at {address}: {error}") from None
        self._socket.settimeout(timeout)
        self._file = self._socket.makefile("rwb")
        self._exchange(os.environ[TOKEN].encode())

    def call(self, name: str, *arguments: Any) -> Any:
        """
        Raises:
            DriverGone: the driver refuses, with its words, or is not there any more.
            ValueError: a number is not finite; JSON cannot hold it, and the driver would only say so.
        """
        return self._exchange(json.dumps({"call": name, "args": arguments}, allow_nan=False).encode())

    def _exchange(self, line: bytes) -> Any:
        try:
            self._file.write(line + b"\n")
            self._file.flush()
            answer = self._file.readline()
        except OSError as error:
            raise DriverGone(f"the driver does not answer: {error}") from None
        if not answer.endswith(b"\n"):
            raise DriverGone("the driver is gone")
        values = json.loads(answer)
        if "error" in values:
            raise DriverGone(values["error"])
        return values["ok"]


class Judge:
    """Hands completions to the driver and waits for what they are worth; used from one event loop.

    Two connections, each with a thread: one says what arrived, the other listens for outcomes, so that
    any number of completions wait at once.
    """

    def __init__(self, deadline: float) -> None:
        """
        Args:
            deadline: seconds after which a completion that the driver has is given up as unjudged.
        """
        self._deadline = deadline
        self._name = uuid.uuid4().hex
        self._waiting: dict[tuple[str, int], asyncio.Future[Mapping[str, Any]]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        #: Samples, each with what is done when the driver has it.
        self._outbox: asyncio.Queue[tuple[dict[str, Any], asyncio.Future[None]]] = asyncio.Queue()
        self._tasks: list[asyncio.Task[None]] = []
        self._fault = ""
        self._noted = False

    async def outcome(self, uid: str, sample: int, completion: Mapping[str, Any]) -> Mapping[str, Any]:
        """`{"reward", "status", "score"}`; reward is None if the sample must not count. Never raises
        for what the driver does: an error of ours is the status `infra_error`.

        It does not return while the sample is on its way: verl would be done with it before the driver has
        it, which then calls it lost.
        """
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
            threading.Thread(target=self._listen, name=LISTENER, daemon=True).start()
            self._tasks = [self._loop.create_task(self._send())]
        if self._fault:
            self._note(self._fault)
            return _unjudged(self._fault)
        future: asyncio.Future[Mapping[str, Any]] = self._loop.create_future()
        self._waiting[uid, sample] = future
        given: asyncio.Future[None] = self._loop.create_future()
        self._outbox.put_nowait(({"uid": uid, "sample": sample, **completion}, given))
        try:
            await asyncio.wait((given, future), return_when=asyncio.FIRST_COMPLETED)
            async with asyncio.timeout(self._deadline):
                return await future
        except TimeoutError:
            reason = f"no verdict within {self._deadline:g} s"
            self._note(reason)
            return _unjudged(reason)
        finally:
            self._waiting.pop((uid, sample), None)

    async def _send(self) -> None:
        """Send what gathered meanwhile in one line."""
        try:
            driver = await asyncio.to_thread(Driver)
            while True:
                parcels = [await self._outbox.get()]
                while not self._outbox.empty():
                    parcels.append(self._outbox.get_nowait())
                await asyncio.to_thread(driver.call, "offer", self._name, [sample for sample, _ in parcels])
                for _, given in parcels:
                    if not given.done():
                        given.set_result(None)
        except Exception as error:  # noqa: BLE001 - whatever it is, nobody may wait for what cannot come
            self._fail(_words(error))

    def _listen(self) -> None:
        assert self._loop is not None
        try:
            driver = Driver()
            while True:
                outcomes = driver.call("outcomes", self._name)
                if outcomes:
                    self._loop.call_soon_threadsafe(self._settle, outcomes)
        except Exception as error:  # noqa: BLE001 - as in `_send`
            # A loop that is closed has nobody waiting in it.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._fail, _words(error))

    def _settle(self, outcomes: list[dict[str, Any]]) -> None:
        for outcome in outcomes:
            future = self._waiting.get((outcome["uid"], outcome["sample"]))
            if future is not None and not future.done():
                future.set_result(outcome)

    def _fail(self, reason: str) -> None:
        self._fault = reason
        if self._waiting:
            self._note(reason)
        for future in self._waiting.values():
            if not future.done():
                future.set_result(_unjudged(reason))

    def _note(self, reason: str) -> None:
        """Say the first reason in the job's log: the driver shows its end when it misses the samples."""
        if not self._noted:
            self._noted = True
            print(f"harness: a reward worker has no verdict: {reason}", flush=True)


def scored(outcome: Mapping[str, Any]) -> dict[str, Any]:
    """An outcome as verl's reward workers report it: `reward_score`, and `reward_extra_info`, whose keys
    are the same for all samples of a batch. A sample that must not count has 0 and says why."""
    reward, score = outcome["reward"], outcome["score"]
    return {
        "reward_score": 0.0 if reward is None else float(reward),
        "reward_extra_info": {
            "status": outcome["status"],
            "score": 0.0 if score is None else float(score),
            "masked": float(reward is None),
            "reason": outcome.get("reason", ""),
        },
    }


def _words(error: Exception) -> str:
    return str(error) if isinstance(error, DriverGone) else said(error)


def _unjudged(reason: str) -> Mapping[str, Any]:
    return {"reward": None, "status": "infra_error", "score": None, "reason": reason}


def _connect(address: str) -> socket.socket:
    if address.startswith("unix:"):
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(address.removeprefix("unix:"))
        return connection
    host, _, port = address.removeprefix("tcp:").rpartition(":")
    connection = socket.create_connection((host, int(port)), 30)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection
