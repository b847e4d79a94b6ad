"""What the inner engines of a wrapper really generated."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from harness.contract.protocols import BuildContext, Engine, Policy
from harness.contract.records import Request, Rollout


@dataclass(slots=True)
class Meter:
    """The engines that a wrapper had built for it, and what came out of them."""

    engines: int = 0
    rollouts: list[Rollout] = field(default_factory=list)
    #: Whether the inner engines give up on every request.
    broken: bool = False

    @property
    def generated(self) -> int:
        """Tokens, returned or not."""
        return sum(rollout.generated for rollout in self.rollouts)


class Metered:
    """An engine whose rollouts are counted (protocol `Engine`)."""

    def __init__(self, engine: Engine, meter: Meter) -> None:
        self._engine, self._meter = engine, meter
        meter.engines += 1

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    async def generate(self, requests: Sequence[Request]) -> AsyncIterator[Rollout]:
        async for rollout in self._engine.generate(requests):
            if self._meter.broken:
                rollout = _lost(rollout)
            self._meter.rollouts.append(rollout)
            yield rollout

    def prompt_tokens(self, request: Request) -> int:
        return self._engine.prompt_tokens(request)

    def sync_weights(self, policy: Policy) -> None:
        self._engine.sync_weights(policy)

    def close(self) -> None:
        self._engine.close()


def _lost(rollout: Rollout) -> Rollout:
    """As an engine reports a request that it gave up."""
    return replace(
        rollout, completion_ids=(), text="", finish="abort", logprobs=None, completion_tokens=None,
        reason="the server is gone", prefix=0,
    )  # fmt: skip


def metered(context: BuildContext, meter: Meter) -> BuildContext:
    """A build context whose engines are counted."""

    def build(kind: str, name: str, options: Mapping[str, Any], *, model: str = "") -> Any:
        made = context.build(kind, name, options, model=model)
        return Metered(made, meter) if kind == "engines" else made

    return replace(context, build=build)
