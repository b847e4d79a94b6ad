"""Rollouts with their verdicts as they finish: the one way from requests to evidence outside training.

An engine's rollouts go straight to the scorer; verdicts come back from its thread in whatever order and
are handed on in batches, as many as have gathered. No sample has a task or a future of its own here, and
at most `MAX_PENDING` are under way, so that memory does not grow with the number of requests.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from typing import Final

from harness.contract.errors import EngineError
from harness.contract.protocols import Engine, Policy
from harness.contract.records import Request, Rollout, RolloutKey, Task, Verdict
from harness.scoring import Scorer

#: Verifications under way at once; generation waits when judging falls behind.
MAX_PENDING: Final = 1024

Judgement = tuple[Task, Rollout, Verdict]
Receive = Callable[[Task, Rollout, Verdict], None]
#: The task of an answered key, once: raises EngineError for a key that was not asked or is answered twice.
Claim = Callable[[RolloutKey], Task]


def generate_scored(
    engine: Engine, work: Sequence[tuple[Task, Request]], scorer: Scorer, receive: Receive
) -> None:
    """Generate and judge; `receive` is called for each sample as its verdict arrives.

    Raises:
        EngineError: the engine ended without an answer to every request.
    """
    task_of = {request.key: task for task, request in work}

    def claim(key: RolloutKey) -> Task:
        try:
            return task_of.pop(key)
        except KeyError:
            raise EngineError(
                f"the engine answered {key}, which was not asked or was answered twice"
            ) from None

    def receive_all(samples: Sequence[Judgement]) -> None:
        for sample in samples:
            receive(*sample)

    stream_scored(engine, [request for _, request in work], claim, scorer, receive_all)


def stream_scored(
    engine: Engine,
    requests: Sequence[Request],
    claim: Claim,
    scorer: Scorer,
    receive: Callable[[Sequence[Judgement]], None],
) -> None:
    """Generate and judge; `receive` gets samples in batches, in the thread of the caller.

    Args:
        requests: may be made on demand: they are only handed to the engine.

    Raises:
        EngineError: the engine ended without an answer to every request; what it answered is received.
    """
    asyncio.run(_Stream(scorer, receive).run(engine, requests, claim))


def drain_scored(
    pairs: Iterable[tuple[Task, Rollout]], scorer: Scorer, receive: Callable[[Sequence[Judgement]], None]
) -> None:
    """Judge rollouts that are there already, as a stream; `receive` gets them in batches."""
    asyncio.run(_Stream(scorer, receive).judge_all(pairs))


class _Stream:
    def __init__(self, scorer: Scorer, receive: Callable[[Sequence[Judgement]], None]) -> None:
        self._scorer, self._receive = scorer, receive
        self._judged: deque[Judgement] = deque()
        self._pending = 0
        self._told = False
        self._ready = asyncio.Event()
        self._room = asyncio.Event()
        self._ended = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None

    async def run(self, engine: Engine, requests: Sequence[Request], claim: Claim) -> None:
        answered = 0
        async with self._handing_on():
            async for rollout in engine.generate(requests):
                await self._judge(claim(rollout.key), rollout)
                answered += 1
        if answered < len(requests):
            raise EngineError(
                f"the engine ended with {len(requests) - answered} of {len(requests)} requests unanswered"
            )

    async def judge_all(self, pairs: Iterable[tuple[Task, Rollout]]) -> None:
        async with self._handing_on():
            for task, rollout in pairs:
                await self._judge(task, rollout)

    @contextlib.asynccontextmanager
    async def _handing_on(self) -> AsyncIterator[None]:
        """Verdicts are handed on while it is entered, and when it is left all of them have been."""
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.create_task(self._hand_on())
        try:
            yield
        finally:
            # What was answered is received, even when the engine fails.
            self._ended = True
            self._ready.set()
            await self._task

    async def _judge(self, task: Task, rollout: Rollout) -> None:
        """Hand to the scorer; waits for room. Raises what the receiver raised."""

        def done(verdict: Verdict) -> None:
            self._judged.append((task, rollout, verdict))
            if not self._told:
                self._told = True
                assert self._loop is not None
                self._loop.call_soon_threadsafe(self._ready.set)

        self._pending += 1
        self._scorer.submit(task, rollout, done)
        if self._pending >= MAX_PENDING:
            assert self._task is not None
            if not self._task.done():
                self._room.clear()
                await self._room.wait()
            if self._task.done():
                self._task.result()

    async def _hand_on(self) -> None:
        """Give verdicts to the receiver until the engine has ended and none is under way."""
        try:
            while self._pending or not self._ended:
                await self._ready.wait()
                self._ready.clear()
                self._told = False
                batch = []
                while self._judged:
                    batch.append(self._judged.popleft())
                if batch:
                    self._pending -= len(batch)
                    self._receive(batch)
                if self._pending < MAX_PENDING // 2:
                    self._room.set()
        finally:
            self._room.set()


class GivenRollouts:
    """An engine whose answers are there already (protocol `Engine`)."""

    def __init__(self, rollouts: Sequence[Rollout]) -> None:
        self._by_key = {rollout.key: rollout for rollout in rollouts}

    async def generate(self, requests: Sequence[Request]) -> AsyncIterator[Rollout]:
        """Yield the rollout of each request; raises EngineError if there is none."""
        for request in requests:
            if request.key not in self._by_key:
                raise EngineError(f"no rollout was given for {request.key}")
            yield self._by_key[request.key]

    def prompt_tokens(self, request: Request) -> int:
        return len(self._by_key[request.key].prompt_ids)

    def sync_weights(self, policy: Policy) -> None:
        raise EngineError("recorded rollouts do not change with the weights")

    def close(self) -> None:
        self._by_key.clear()
