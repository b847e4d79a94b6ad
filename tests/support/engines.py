"""Ask an engine, and look on while it answers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from harness.contract.protocols import Engine
from harness.contract.records import Request, Rollout


def gathered(
    engine: Engine,
    requests: Sequence[Request],
    during: Callable[[Sequence[Rollout]], object] | None = None,
    *,
    seconds: float = 60,
) -> list[Rollout]:
    """All rollouts; `during(rollouts so far)` is called after each. TimeoutError after `seconds`."""

    async def collect() -> list[Rollout]:
        rollouts: list[Rollout] = []
        async for rollout in engine.generate(requests):
            rollouts.append(rollout)
            if during:
                during(rollouts)
        return rollouts

    return asyncio.run(asyncio.wait_for(collect(), seconds))
