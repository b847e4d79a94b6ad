"""The trainer's own engine by the name `trainer`, for engines that wrap it in `engine` or `rollout.engine`.

The wrapper (a beam, for example) names it in its options as it would name any engine, and is given the live
weights.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence

from harness.contract.protocols import Engine, Policy
from harness.contract.records import Request, Rollout


class TrainerEngine:
    """The trainer's own engine, as it is when it is asked (protocol `Engine`). Its weights are the live ones,
    whatever `sync_weights` says, and it is the trainer's to close."""

    def __init__(self, own: Callable[[], Engine]) -> None:
        self._own = own

    async def generate(self, requests: Sequence[Request]) -> AsyncIterator[Rollout]:
        """Generate with the live weights."""
        async for rollout in self._own().generate(requests):
            yield rollout

    def prompt_tokens(self, request: Request) -> int:
        """Length of the rendered prompt, in tokens."""
        return self._own().prompt_tokens(request)

    def sync_weights(self, policy: Policy) -> None:
        """Nothing to do: the trainer changes its weights itself."""

    def close(self) -> None:
        """Nothing to give back."""
