"""Sampling a stage through an engine that wraps the trainer's own (`rollout.engine`)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence

from harness.contract.protocols import Engine
from harness.contract.records import Request, Rollout


def sampled(engine: Engine, requests: Sequence[Request]) -> Iterator[Rollout]:
    """An engine's rollouts as they finish, for a trainer without an event loop."""
    rollouts = engine.generate(requests)
    with asyncio.Runner() as runner:
        while (rollout := runner.run(_next(rollouts))) is not None:
            yield rollout


async def _next(rollouts: AsyncIterator[Rollout]) -> Rollout | None:
    return await anext(rollouts, None)
