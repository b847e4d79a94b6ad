"""Rollouts with their verdicts as they finish: the one way from requests to evidence outside training."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence

from harness.errors import EngineError
from harness.protocols import Engine, Policy
from harness.records import Request, Rollout, Task, Verdict
from harness.scoring import Scorer

#: Verifications under way at once; generation waits when judging falls behind.
MAX_PENDING = 1024

Receive = Callable[[Task, Rollout, Verdict], None]


def generate_scored(
    engine: Engine, work: Sequence[tuple[Task, Request]], scorer: Scorer, receive: Receive
) -> None:
    """Generate and judge; `receive` is called for each sample as its verdict arrives.

    Raises:
        EngineError: the engine ended without an answer to every request.
    """
    asyncio.run(_stream(engine, work, scorer, receive))


async def _stream(
    engine: Engine, work: Sequence[tuple[Task, Request]], scorer: Scorer, receive: Receive
) -> None:
    task_of = {request.key: task for task, request in work}
    open_keys = set(task_of)
    pending: set[asyncio.Task[None]] = set()

    async def judge(task: Task, rollout: Rollout) -> None:
        receive(task, rollout, await scorer.score(task, rollout))

    async for rollout in engine.generate([request for _, request in work]):
        if rollout.key not in open_keys:
            raise EngineError(f"the engine answered {rollout.key}, which was not asked or was answered twice")
        open_keys.discard(rollout.key)
        pending.add(asyncio.create_task(judge(task_of[rollout.key], rollout)))
        if len(pending) >= MAX_PENDING:
            done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            for finished in done:
                finished.result()
    await asyncio.gather(*pending)
    if open_keys:
        raise EngineError(
            f"the engine ended with {len(open_keys)} of {len(work)} requests unanswered, "
            f"such as {next(iter(open_keys))}"
        )


class GivenRollouts:
    """An engine whose answers are there already (protocol `Engine`)."""

    def __init__(self, rollouts: Sequence[Rollout]) -> None:
        self._by_key = {rollout.key: rollout for rollout in rollouts}

    async def generate(self, requests: Sequence[Request]) -> AsyncIterator[Rollout]:
        """Yield the rollout of each request; raises EngineError where there is none."""
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
